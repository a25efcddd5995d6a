//! Gates: where a scripted answer waits until the test lets it go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::wait::within;

/// A point in a scripted answer. Once open it stays open; clones are one gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    reached: usize,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Lets every answer pass that waits here, and those to come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until an answer has come as far as this gate.
    ///
    /// # Panics
    /// When none has after [`DEADLINE`](crate::DEADLINE).
    pub async fn reached(&self) {
        self.reached_times(1).await;
    }

    /// Waits until this many answers have come as far as this gate.
    ///
    /// # Panics
    /// When fewer have after [`DEADLINE`](crate::DEADLINE).
    pub async fn reached_times(&self, times: usize) {
        let mut watch = self.0.subscribe();
        let reached = watch.wait_for(|state| state.reached >= times);
        // The sender lives in self, so that the channel cannot close.
        drop(within("an answer reaches the gate", reached).await);
    }

    /// Called by the answer: waits until the gate is open.
    pub(crate) async fn pass(&self) {
        self.0.send_modify(|state| state.reached += 1);
        let mut watch = self.0.subscribe();
        drop(watch.wait_for(|state| state.open).await);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Gates by name, made when first asked for: script and test need not meet.
#[derive(Debug, Default)]
pub struct Gates(Mutex<HashMap<String, Gate>>);

impl Gates {
    /// The gate of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(name.to_owned()).or_default().clone()
    }
}
