//! Runs the writers while, and only while, the Lease is held.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::election::{Attempt, Elector};

/// How long the writers get to finish what they are doing; well within what is
/// left of a lease whose renewal stopped.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs `writers` whenever the lease is held, until `shutdown`. The token that
/// `writers` gets is cancelled when the lease is lost or on shutdown.
///
/// Guarantees: no two processes run their writers at once, as long as their
/// clocks run at the same speed; on shutdown the lease is released after the
/// writers ended. Returns false when the writers ended by themselves.
pub(crate) async fn lead<F, W>(
    mut elector: Elector,
    shutdown: CancellationToken,
    mut writers: F,
) -> bool
where
    F: FnMut(CancellationToken) -> W,
    W: Future<Output = ()>,
{
    while acquired(&mut elector, &shutdown).await {
        info!("leading");
        let token = shutdown.child_token();
        let mut work = std::pin::pin!(writers(token.clone()));
        let ended = tokio::select! {
            () = &mut work => true,
            () = lost(&mut elector) => false,
            () = shutdown.cancelled() => false,
        };
        if ended && !shutdown.is_cancelled() {
            return false;
        }
        token.cancel();
        if !ended && timeout(DRAIN, work).await.is_err() {
            warn!("writers did not finish in time and were dropped");
        }
        if shutdown.is_cancelled() {
            match elector.release().await {
                Ok(()) => info!("lease released"),
                Err(error) => warn!(%error, "lease not released; it will expire"),
            }
        } else {
            warn!("lease lost");
        }
    }
    true
}

/// True once the lease is ours, false on shutdown.
async fn acquired(elector: &mut Elector, shutdown: &CancellationToken) -> bool {
    loop {
        if shutdown.is_cancelled() {
            return false;
        }
        match elector.attempt().await {
            Ok(Attempt::Held) => return true,
            Ok(Attempt::Foreign | Attempt::Raced) => {}
            Err(error) => warn!(%error, "cannot reach the lease"),
        }
        tokio::select! {
            () = sleep(elector.timing.retry) => {}
            () = shutdown.cancelled() => return false,
        }
    }
}

/// Renews until that failed for the whole renew deadline, or somebody else holds it.
async fn lost(elector: &mut Elector) {
    let mut renewed = Instant::now();
    loop {
        let deadline = renewed + elector.timing.renew_deadline;
        if timeout_at(deadline, sleep(elector.timing.retry))
            .await
            .is_err()
        {
            return;
        }
        // Counted from before the call: the API server may have dated it then.
        let before = Instant::now();
        match timeout_at(deadline, elector.attempt()).await {
            Ok(Ok(Attempt::Held)) => renewed = before,
            Ok(Ok(Attempt::Foreign)) | Err(_) => return,
            Ok(Ok(Attempt::Raced)) => warn!("the lease was written by somebody else"),
            Ok(Err(error)) => warn!(%error, "the lease was not renewed"),
        }
    }
}
