//! What every long-running subcommand does alike: runtime, signals, exit codes.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs a subcommand on a runtime with one worker a core and prints its error.
/// With one core there is nobody to hand work to, and what that takes is saved.
pub(crate) fn block_on(main: impl Future<Output = Result<(), String>>) -> ExitCode {
    let one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if one_core {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(main);
    // Whatever did not end in the drain is given up, so that exit is prompt.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failure(&message),
    }
}

/// Prints an error and gives exit code 1.
pub(crate) fn failure(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

/// Cancelled by SIGTERM or Ctrl-C. A second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn stop_signal() -> Result<CancellationToken, String> {
    let install = |kind| signal(kind).map_err(|error| format!("cannot handle signals: {error}"));
    let mut terminate = install(SignalKind::terminate())?;
    let mut interrupt = install(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                token.cancel();
            }
        }
        std::process::exit(130);
    });
    Ok(stop)
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
