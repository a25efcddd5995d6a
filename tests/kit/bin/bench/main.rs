//! The two ends of the benchmark: a mock provider and a load generator.
//!
//! ```text
//! agentkube-testkit-bench mock ADDR BYTES
//! agentkube-testkit-bench load URL BYTES CONNECTIONS SECONDS [HEADER…]
//! ```
//!
//! Both are one thread over raw sockets, so that they cost little beside what
//! they measure. `BYTES` is the size of the JSON body in that direction. `load`
//! prints one line of JSON; latencies are in microseconds. An answer that is not
//! 200 with the mock's body stops the run: a fast error is no result.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail by panicking"))]

mod histogram;
mod load;
mod mock;
mod payload;

use std::process::ExitCode;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["mock", addr, bytes] => mock::main(addr, bytes).await,
        ["load", url, bytes, connections, seconds, headers @ ..] => {
            load::main(url, bytes, connections, seconds, headers).await
        }
        _ => Err("usage: mock ADDR BYTES | load URL BYTES CONNECTIONS SECONDS [HEADER…]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
