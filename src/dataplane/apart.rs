//! Work that others wait for, out of the reach of who began it.
//!
//! The future of a client goes on only while that client reads. What holds a lock for
//! which others wait must not be part of it: who reads nothing would hold up all.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// What becomes of the work once nobody waits for its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It is given up.
    GivenUp,
    /// Others may have come to wait for it, and what it opens would be lost: it may come
    /// to its end within this time.
    Ends(Duration),
}

/// Runs this in a task of its own and waits for its outcome; `None` where there is none,
/// after a defect or at the very end of the process.
///
/// The future of who waits holds the type of the work, however rare it is: deep work comes
/// boxed, or the compiler does not get to the end of that type.
pub(crate) async fn apart<T: Send + 'static>(
    left: Left,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (mut told, outcome) = oneshot::channel();
    let runtime = Handle::try_current().ok()?;
    drop(runtime.spawn(async move {
        let over = async {
            told.closed().await;
            if let Left::Ends(within) = left {
                sleep(within).await;
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
    outcome.await.ok()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    /// Whether work is still there, after its client left so long ago.
    async fn is_there(left: Left, after: Duration) -> bool {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let work = async move {
            let _holds = holds;
            pending::<()>().await;
        };
        let mut waiting = Box::pin(apart(left, work));
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
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        assert!(!is_there(Left::GivenUp, Duration::ZERO).await);
        assert!(is_there(Left::Ends(long), short).await);
        assert!(!is_there(Left::Ends(short), long).await);
    }

    #[tokio::test]
    async fn work_goes_on_without_being_waited_for() {
        let (done, ended) = oneshot::channel();
        let mut waiting = Box::pin(apart(Left::GivenUp, async move { done.send(()) }));
        assert!(futures::poll!(&mut waiting).is_pending());
        ended.await.unwrap();
        assert_eq!(waiting.await, Some(Ok(())));
    }
}
