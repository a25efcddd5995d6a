//! The signal to stop gracefully.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Says when to stop accepting, and how long what is under way may take.
///
/// Clones share the signal.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
    grace: Duration,
}

impl Drain {
    /// A signal that has not been given. After it, requests under way get
    /// `grace` to finish, then they are cut.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            token: CancellationToken::new(),
            grace,
        }
    }

    /// A drain that starts with this one, or earlier by itself: for one listener
    /// of several.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            grace: self.grace,
        }
    }

    /// Gives the signal. Giving it twice is giving it once.
    pub fn start(&self) {
        self.token.cancel();
    }

    /// True once the signal was given.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for the signal.
    pub async fn started(&self) {
        self.token.cancelled().await;
    }

    /// How long what is under way may take after the signal.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }
}
