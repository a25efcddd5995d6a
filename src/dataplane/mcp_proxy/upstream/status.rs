//! What `/digest` tells of an upstream, and the log line when that changes.

use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use super::UpstreamError;

/// The latest state of an upstream.
#[derive(Debug, Default)]
pub(super) struct Status(Mutex<Option<Result<(), String>>>);

impl Status {
    /// Records the outcome of an exchange.
    pub(super) fn note(&self, upstream: &str, outcome: Result<(), &UpstreamError>) {
        let next = outcome.map_err(ToString::to_string);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.as_ref() == Some(&next) {
            return;
        }
        match (&next, state.as_ref()) {
            (Ok(()), Some(Err(_))) => info!(upstream, "upstream is back"),
            (Ok(()), _) => info!(upstream, "upstream reached"),
            (Err(reason), _) => warn!(upstream, %reason, "upstream failed"),
        }
        *state = Some(next);
    }

    /// True or false once it was tried.
    pub(super) fn reachable(&self) -> Option<bool> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(Result::is_ok)
    }

    /// The latest failure, until the next success.
    pub(super) fn message(&self) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .as_ref()
            .and_then(|outcome| outcome.as_ref().err().cloned())
    }
}
