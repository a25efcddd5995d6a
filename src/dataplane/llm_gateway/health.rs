//! What is known of an upstream from the requests that it got.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

const UNTRIED: u8 = 0;
const WELL: u8 = 1;
const FAILING: u8 = 2;

/// The last verdict on an upstream.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: AtomicU8,
    last_failure: Mutex<Option<String>>,
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
        self.state.store(FAILING, Ordering::Relaxed);
        self.set_failure(Some(why.to_owned()));
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
