//! How many retries a gateway affords.
//!
//! Each request that is retried costs its upstream more than one request. When all
//! of them fail, retries would multiply the load just while the upstream has least
//! to spare, so together they may add a fifth to it and no more. Going on to
//! another upstream is no retry: it is not that one's load that grows.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Earned by each request.
const EARNED: f64 = 0.2;

/// Earned by each second, so that gateways with few requests retry as well.
const PER_SECOND: f64 = 1.0;

/// Kept at most: what a quiet hour may not add up to.
const KEPT: f64 = 50.0;

/// There from the start.
const INITIAL: f64 = 10.0;

/// A bucket of retries, shared by all requests of a gateway.
#[derive(Debug)]
pub(super) struct RetryBudget {
    /// Requests that the bucket does not know of yet: they all come here, and few
    /// retry, which is when it matters what is in the bucket.
    requests: AtomicU32,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RetryBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            requests: AtomicU32::new(0),
            bucket: Mutex::new(Bucket {
                left: INITIAL,
                at: now,
            }),
        }
    }

    /// A request came.
    pub(super) fn earn(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one retry; false when there is none left.
    pub(super) fn spend(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = f64::from(self.requests.swap(0, Ordering::Relaxed));
        let waited = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.at = now;
        bucket.left = (bucket.left + requests * EARNED + waited * PER_SECOND).min(KEPT);
        let enough = bucket.left >= 1.0;
        if enough {
            bucket.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spent(budget: &RetryBudget, now: Instant) -> usize {
        (0..1_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_retried() {
        let now = Instant::now();
        let budget = RetryBudget::new(now);
        assert_eq!(spent(&budget, now), 10, "there from the start");
        for _ in 0..101 {
            budget.earn();
        }
        assert_eq!(spent(&budget, now), 20);
        assert!(!budget.spend(now));
    }

    #[test]
    fn time_earns_a_little_and_never_much() {
        let now = Instant::now();
        let budget = RetryBudget::new(now);
        spent(&budget, now);
        assert_eq!(spent(&budget, now + Duration::from_secs(3)), 3);
        assert_eq!(spent(&budget, now + Duration::from_secs(7_200)), 50);
    }
}
