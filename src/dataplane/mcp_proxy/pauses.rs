//! How long a stream that ended is left alone before it is opened again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The pauses double from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// A stream that was open for so long was a good one: its end is no failure.
const LONG: Duration = Duration::from_secs(30);

/// The pauses between the streams of one upstream.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    opened: Option<Instant>,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            next: PAUSES.0,
            opened: None,
        }
    }
}

impl Pauses {
    /// A stream is open now.
    pub(super) fn opened(&mut self) {
        self.opened = Some(Instant::now());
    }

    /// Waits before the next attempt.
    pub(super) async fn pause(&mut self) {
        sleep(self.take()).await;
    }

    fn take(&mut self) -> Duration {
        if self.opened.take().is_some_and(|at| at.elapsed() >= LONG) {
            self.next = PAUSES.0;
        }
        let pause = self.next;
        self.next = (pause * 2).min(PAUSES.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_ends_its_streams_at_once_is_asked_less_and_less() {
        let mut pauses = Pauses::default();
        let mut seconds = Vec::new();
        for _ in 0..7 {
            pauses.opened();
            seconds.push(pauses.take().as_secs());
        }
        assert_eq!(seconds, [2, 4, 8, 16, 32, 60, 60]);
        pauses.opened();
        tokio::time::advance(LONG).await;
        assert_eq!(pauses.take().as_secs(), 2, "that was a good one");
    }
}
