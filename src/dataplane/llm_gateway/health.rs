//! What is known of an upstream from the requests that it got.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

const UNTRIED: u8 = 0;
const WELL: u8 = 1;
const FAILING: u8 = 2;

/// The last verdict on an upstream.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: AtomicU8,
    last_failure: Mutex<Option<String>>,
    /// The last failure was to list its models.
    unlisted: AtomicBool,
}

impl Health {
    /// It answered: with an answer, or with a refusal that is the client's fault.
    pub(super) fn well(&self) {
        // Nearly every request comes here, and nearly none changes anything.
        if self.state.load(Ordering::Relaxed) != WELL {
            self.state.store(WELL, Ordering::Relaxed);
            self.set_failure(None);
        }
    }

    /// It failed. `why` holds no secret and nothing of a request.
    pub(super) fn failing(&self, why: &str) {
        self.unlisted.store(false, Ordering::Relaxed);
        self.state.store(FAILING, Ordering::Relaxed);
        self.set_failure(Some(why.to_owned()));
    }

    /// It did not say what it serves.
    pub(super) fn unlisted(&self, why: &str) {
        self.failing(&format!("cannot list its models: {why}"));
        self.unlisted.store(true, Ordering::Relaxed);
    }

    /// It said what it serves. Only the last refusal to do so is mended by that.
    pub(super) fn listed(&self) {
        if self.unlisted.swap(false, Ordering::Relaxed) {
            self.well();
        }
    }

    /// Whether it can be used; `None` before it was tried.
    pub(super) fn reachable(&self) -> Option<bool> {
        match self.state.load(Ordering::Relaxed) {
            UNTRIED => None,
            state => Some(state == WELL),
        }
    }

    /// The last failure since it was well.
    pub(super) fn last_failure(&self) -> Option<String> {
        let failure = self.last_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_failure(&self, failure: Option<String>) {
        *self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_mends_a_missing_list_and_nothing_else() {
        let health = Health::default();
        health.unlisted("timed out");
        assert_eq!(health.reachable(), Some(false));
        health.listed();
        assert_eq!(health.reachable(), Some(true));
        assert_eq!(health.last_failure(), None);
        health.unlisted("timed out");
        health.failing("status 500");
        health.listed();
        assert_eq!(health.last_failure().as_deref(), Some("status 500"));
    }
}
