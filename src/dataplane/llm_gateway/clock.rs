//! The timer of one attempt: until the first token, then between the pieces of
//! the answer. There is no total.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline that is cheap to push back.
pub(super) struct Clock {
    sleep: Pin<Box<Sleep>>,
    /// The timer itself is moved there only when it rings: moving it for each
    /// chunk of a stream would cost more than passing the chunk on.
    due: Instant,
}

impl Clock {
    pub(super) fn start(now: Instant, limit: Duration) -> Self {
        let due = now + limit;
        Self {
            sleep: Box::pin(tokio::time::sleep_until(due)),
            due,
        }
    }

    /// Something came: the time starts anew, with this limit.
    pub(super) fn restart(&mut self, limit: Duration) {
        self.due = Instant::now() + limit;
        if self.due < self.sleep.deadline() {
            self.sleep.as_mut().reset(self.due);
        }
    }

    /// Ready when the time is up.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.sleep.deadline() >= self.due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
        }
        Poll::Pending
    }

    /// The future's output, or none when the time is up first.
    pub(super) async fn within<F: Future>(&mut self, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::poll_fn(|cx| self.poll_expired(cx)) => None,
        }
    }
}
