//! Work that others wait for, out of the reach of who began it.
//!
//! The future of a client goes on only while that client reads. What holds a lock for
//! which others wait must not be part of it: who reads nothing would hold up all.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::UpstreamError;
use super::catalogue::PATIENCE;

/// What becomes of the work once nobody waits for its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It is given up.
    GivenUp,
    /// Others may have come to wait for it, and what it opens would be lost: it may come
    /// to its end, if that does not take long.
    Ends,
}

/// Runs this in a task of its own and waits for its outcome.
pub(super) async fn apart<T: Send + 'static>(
    left: Left,
    work: impl Future<Output = Result<T, UpstreamError>> + Send + 'static,
) -> Result<T, UpstreamError> {
    let (mut told, outcome) = oneshot::channel();
    // There is no runtime at the very end of the process only.
    let runtime = Handle::try_current().map_err(|_| UpstreamError::Cut)?;
    drop(runtime.spawn(async move {
        let over = async {
            told.closed().await;
            if left == Left::Ends {
                sleep(PATIENCE).await;
            }
        };
        let outcome = tokio::select! {
            outcome = work => Some(outcome),
            () = over => None,
        };
        if let Some(outcome) = outcome {
            drop(told.send(outcome));
        }
    }));
    // Only a defect ends it without an outcome.
    outcome.await.unwrap_or(Err(UpstreamError::Cut))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::time::{Duration, advance};

    use super::*;

    /// Whether work is still there, after its client left so long ago.
    async fn is_there(left: Left, after: Duration) -> bool {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let work = async move {
            let _holds = holds;
            pending().await
        };
        let mut waiting = Box::pin(apart::<()>(left, work));
        assert!(futures::poll!(&mut waiting).is_pending());
        tokio::task::yield_now().await;
        drop(waiting);
        tokio::task::yield_now().await;
        advance(after).await;
        tokio::task::yield_now().await;
        Arc::strong_count(&held) > 1
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_nobody_waits_for_has_a_while_to_end_or_none() {
        assert!(!is_there(Left::GivenUp, Duration::ZERO).await);
        assert!(is_there(Left::Ends, PATIENCE / 2).await);
        assert!(!is_there(Left::Ends, PATIENCE * 2).await);
    }

    #[tokio::test]
    async fn work_goes_on_without_being_waited_for() {
        let (done, ended) = oneshot::channel();
        let mut waiting = Box::pin(apart(Left::GivenUp, async move {
            done.send(()).map_err(|()| UpstreamError::Cut)
        }));
        assert!(futures::poll!(&mut waiting).is_pending());
        ended.await.unwrap();
        assert_eq!(waiting.await, Ok(()));
    }
}
