//! What `/digest` tells of an upstream, and the log line when that changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

use super::UpstreamError;

/// The latest state of an upstream.
#[derive(Debug, Default)]
pub(super) struct Status(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether it answers, and if not why.
    reached: Option<Result<(), String>>,
    /// Why its tools are not known although it answers.
    unread: Option<String>,
}

impl Status {
    /// It answered, or did not.
    pub(super) fn note(&self, upstream: &str, outcome: Result<(), &UpstreamError>) {
        let mut state = self.state();
        let known = match (&state.reached, outcome) {
            (Some(Ok(())), Ok(())) => true,
            (Some(Err(known)), Err(error)) => *known == error.to_string(),
            _ => false,
        };
        if known {
            return;
        }
        match (outcome, &state.reached) {
            (Ok(()), Some(Err(_))) => info!(upstream, "upstream is back"),
            (Ok(()), _) => info!(upstream, "upstream reached"),
            (Err(reason), _) => warn!(upstream, %reason, "upstream failed"),
        }
        state.reached = Some(outcome.map_err(ToString::to_string));
    }

    /// Its tools were read, or could not be.
    pub(super) fn note_tools(&self, upstream: &str, outcome: Result<(), &UpstreamError>) {
        let unread = outcome.err().map(ToString::to_string);
        let mut state = self.state();
        if state.unread == unread {
            return;
        }
        if let Some(reason) = &unread {
            warn!(upstream, %reason, "tools not read");
        }
        state.unread = unread;
    }

    /// True or false once it was tried.
    pub(super) fn reachable(&self) -> Option<bool> {
        self.state().reached.as_ref().map(Result::is_ok)
    }

    /// The latest failure, until the next success.
    pub(super) fn message(&self) -> Option<String> {
        let state = self.state();
        let down = state
            .reached
            .as_ref()
            .and_then(|outcome| outcome.as_ref().err());
        down.or(state.unread.as_ref()).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
