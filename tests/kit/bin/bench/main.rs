//! The two ends of the benchmark: a mock provider and a load generator.
//!
//! ```text
//! agentkube-testkit-bench mock ADDR
//! agentkube-testkit-bench load URL MODEL BYTES FORM CONNECTIONS SECONDS [HEADER…]
//! agentkube-testkit-bench hold ADDR CONNECTIONS
//! agentkube-testkit-bench answer BYTES
//! ```
//!
//! All are one thread over raw sockets, so that they cost little beside what
//! they measure. `BYTES` is the size of the JSON body in both directions. `FORM` is
//! that of the answer: `same` as the mock's byte by byte, `whole` with its text in
//! it, or a `stream`. `load` prints one line of JSON; latencies are in microseconds.
//! An answer that is not 200 and of this form stops the run: a fast error is no
//! result. `answer` prints the mock's, for a server that is none of ours.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail by panicking"))]

mod histogram;
mod hold;
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
        ["mock", addr] => mock::main(addr).await,
        [
            "load",
            url,
            model,
            bytes,
            form,
            connections,
            seconds,
            headers @ ..,
        ] => match load::Load::new(url, model, bytes, form, headers) {
            Ok(load) => load.run(connections, seconds).await,
            Err(error) => Err(error),
        },
        ["hold", addr, connections] => hold::main(addr, connections).await,
        ["answer", bytes] => answer(bytes),
        _ => Err(
            "usage: mock ADDR | load URL MODEL BYTES FORM CONNECTIONS SECONDS [HEADER…] \
                  | hold ADDR CONNECTIONS | answer BYTES"
                .into(),
        ),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(bytes: &str) -> Result<(), Error> {
    print!("{}", payload::openai(bytes.parse()?));
    Ok(())
}
