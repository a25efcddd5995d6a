//! A shim behind a socket, for the proxy in another container of the Pod.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Launch, Programs, Shim, orphans};

/// After an accept error: files are exhausted, and asking again at once would
/// only burn the CPU that closing some needs.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Serves the program at this socket until `stop`, and stops its children.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve_program(launch: Launch, path: &Path, stop: CancellationToken) -> io::Result<()> {
    // What a process before this one left there is nobody's.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let programs = Programs::default();
    let shim = Shim::new(launch, &programs);
    if std::process::id() == 1 {
        programs.tasks.spawn(orphans::reap(programs.stop.clone()));
    }
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => shim.serve(stream),
            Err(error) => {
                warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    programs.stopped().await;
    Ok(())
}
