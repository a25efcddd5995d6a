//! The signal to stop gracefully.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Says when to stop accepting, and how long what is under way may take.
///
/// Clones share the signal.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
    given: Arc<Given>,
    grace: Duration,
}

/// Whether the signal was given: what the token knows too, without its lock.
#[derive(Debug, Default)]
struct Given {
    here: AtomicBool,
    parent: Option<Arc<Given>>,
}

impl Drain {
    /// A signal that has not been given. After it, requests under way get
    /// `grace` to finish, then they are cut.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            token: CancellationToken::new(),
            given: Arc::default(),
            grace,
        }
    }

    /// A drain that starts with this one, or earlier by itself: for one listener
    /// of several.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            given: Arc::new(Given {
                here: AtomicBool::new(false),
                parent: Some(Arc::clone(&self.given)),
            }),
            grace: self.grace,
        }
    }

    /// Gives the signal. Giving it twice is giving it once.
    pub fn start(&self) {
        // First, so that whoever is woken by the token sees it.
        self.given.here.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// True once the signal was given.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.given.is_given()
    }

    /// Waits for the signal.
    pub async fn started(&self) {
        self.token.cancelled().await;
    }

    /// As [`Drain::started`], for a task that wakes up often for other reasons: to
    /// ask again costs it nothing. Only within one task, and not from another one
    /// later.
    pub(super) async fn started_meanwhile(&self) {
        let mut started = pin!(self.started());
        let mut is_asked = false;
        poll_fn(|cx| {
            // Who was asked once wakes the task.
            if is_asked && !self.is_started() {
                return Poll::Pending;
            }
            is_asked = true;
            started.as_mut().poll(cx)
        })
        .await;
    }

    /// How long what is under way may take after the signal.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }
}

impl Given {
    fn is_given(&self) -> bool {
        let parent = self.parent.as_ref();
        self.here.load(Ordering::Acquire) || parent.is_some_and(|parent| parent.is_given())
    }
}
