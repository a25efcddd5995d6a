//! The scripted provider as a program, for tests outside Rust.
//!
//! `agentkube-testkit-upstream [ADDR]` (default 127.0.0.1:0) prints
//! `{"url": …}` when it listens. It serves until SIGTERM or Ctrl-C, or, with
//! `AGENTKUBE_TESTKIT_STDIN` set, until its standard input closes.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use agentkube_testkit::{Gates, Upstream, scripts};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1);
    let addr: SocketAddr = addr.as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let gates = Arc::new(Gates::default());
    let upstream = Upstream::bind(addr, Arc::clone(&gates), scripts::by_model(gates)).await?;
    println!("{}", serde_json::json!({"url": upstream.url("")}));
    std::io::stdout().flush()?;
    // As the first process of a container it has no default action for SIGTERM.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = starter_gone() => {}
    }
    Ok(())
}

/// Resolves when standard input closes, if that was asked for: whoever started
/// the program holds the other end, so that it never outlives its test.
async fn starter_gone() {
    if std::env::var_os("AGENTKUBE_TESTKIT_STDIN").is_none() {
        std::future::pending::<()>().await;
    }
    let (gone, wait) = tokio::sync::oneshot::channel();
    // A thread, since the runtime would wait for a blocking task when it ends.
    std::thread::spawn(move || {
        // A failed read is a closed one.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    let _: Result<(), _> = wait.await;
}
