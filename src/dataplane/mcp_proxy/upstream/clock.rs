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
}

impl Clock {
    pub(super) fn start(timeouts: &ProxyTimeouts) -> Self {
        let now = Instant::now();
        Self {
            idle: timeouts.idle,
            total: timeouts.total,
            deadline: now + timeouts.total,
            heard: now,
        }
    }

    /// The same call, but not longer than this.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.total = self.total.min(limit);
        self.idle = self.idle.min(limit);
        self.deadline = self.deadline.min(Instant::now() + limit);
        self
    }

    /// Something came.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits for the next sign of life. Waiting may be given up and begun anew:
    /// the silence counts from the last sign, not from here.
    pub(super) async fn wait<T>(&self, sign: impl Future<Output = T>) -> Result<T, UpstreamError> {
        let silent = self.heard + self.idle;
        let (until, error) = if silent < self.deadline {
            (silent, UpstreamError::Idle(self.idle))
        } else {
            (self.deadline, UpstreamError::Total(self.total))
        };
        timeout_at(until, sign).await.map_err(|_| error)
    }
}
