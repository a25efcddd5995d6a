//! The time that one call may take.

use std::future::Future;
use std::time::Duration;

use agentkube_plan::ProxyTimeouts;
use tokio::time::{Instant, timeout_at};

use super::UpstreamError;

/// Bounds of a call under way: silence, and the whole.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    idle: Duration,
    total: Duration,
    deadline: Instant,
    heard: Instant,
    /// Something came.
    alive: bool,
}

impl Clock {
    pub(super) fn start(timeouts: &ProxyTimeouts) -> Self {
        let now = Instant::now();
        Self {
            idle: timeouts.idle,
            total: timeouts.total,
            deadline: now + timeouts.total,
            heard: now,
            alive: false,
        }
    }

    /// The same call, but not longer than this.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.total = self.total.min(limit);
        self.idle = self.idle.min(limit);
        self.deadline = self.deadline.min(Instant::now() + limit);
        self
    }

    /// A part of it that begins now and may not be longer than this.
    pub(super) fn part(&self, limit: Duration) -> Self {
        let mut part = self.clone().within(limit);
        part.ask();
        part
    }

    /// For a stream that may be silent and has no end.
    pub(super) fn endless() -> Self {
        // Longer than a stream lives, and short enough for every timer.
        let year = Duration::from_secs(365 * 24 * 3600);
        let now = Instant::now();
        Self {
            idle: year,
            total: year,
            deadline: now + year,
            heard: now,
            alive: false,
        }
    }

    /// Something came.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
        self.alive = true;
    }

    /// Something is sent: from here on an answer is waited for.
    pub(super) fn ask(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits for the next sign of life. Waiting may be given up and begun anew:
    /// the silence counts from the last sign, not from here.
    pub(super) async fn wait<T>(&self, sign: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let silent = self.heard + self.idle;
        let (until, error) = if silent < self.deadline {
            (silent, UpstreamError::Idle(self.idle))
        } else {
            let error = match self.alive {
                true => UpstreamError::Total(self.total),
                // It never said a word, whichever of the two bounds was met.
                false => UpstreamError::Idle(self.total),
            };
            (self.deadline, error)
        };
        timeout_at(until, sign).await.map_err(|_| error)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn clock() -> Clock {
        Clock::start(&ProxyTimeouts {
            connect: Duration::from_secs(1),
            idle: Duration::from_secs(10),
            total: Duration::from_secs(25),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_call_and_every_sign_resets_it() {
        let mut clock = clock();
        tokio::time::advance(Duration::from_secs(9)).await;
        clock.hear();
        let start = Instant::now();
        let outcome = clock.wait(pending::<()>()).await;
        assert_eq!(outcome, Err(UpstreamError::Idle(Duration::from_secs(10))));
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn signs_do_not_move_the_end_of_the_whole() {
        let mut clock = clock();
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(9)).await;
            clock.hear();
        }
        let start = Instant::now();
        let outcome = clock.wait(pending::<()>()).await;
        assert_eq!(outcome, Err(UpstreamError::Total(Duration::from_secs(25))));
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_said_a_word_was_silent_whatever_the_bound() {
        let mut clock = clock().within(Duration::from_secs(3));
        clock.ask();
        let outcome = clock.wait(pending::<()>()).await;
        assert_eq!(outcome, Err(UpstreamError::Idle(Duration::from_secs(3))));
        clock.hear();
        let outcome = clock.wait(pending::<()>()).await;
        assert_eq!(outcome, Err(UpstreamError::Total(Duration::from_secs(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_given_up_counts() {
        let clock = clock();
        let pause = Duration::from_secs(6);
        assert!(
            tokio::time::timeout(pause, clock.wait(pending::<()>()))
                .await
                .is_err()
        );
        let start = Instant::now();
        assert!(clock.wait(pending::<()>()).await.is_err());
        assert_eq!(start.elapsed().as_secs(), 4);
    }
}
