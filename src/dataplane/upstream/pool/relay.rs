//! Who is woken for a connection that has no task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// The waker that a connection knows. Behind it is whoever drives the connection
/// now.
#[derive(Debug, Default)]
pub(super) struct Relay {
    driver: AtomicWaker,
    deaf: AtomicBool,
}

impl Relay {
    /// From here on this one is woken.
    pub(super) fn listen(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// From here on nobody is.
    pub(super) fn leave(&self) {
        drop(self.driver.take());
    }

    /// Does what the connection would wake its driver for, which drives it anyway:
    /// taking a piece of an answer makes room for the next one, and says so.
    ///
    /// A wake-up for other reasons is lost as well, so whoever calls this either has
    /// got something, and will ask again, or drives the connection next.
    pub(super) fn unheard<T>(&self, action: impl FnOnce() -> T) -> T {
        self.deaf.store(true, Ordering::Relaxed);
        let done = action();
        self.deaf.store(false, Ordering::Relaxed);
        done
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.deaf.load(Ordering::Relaxed) {
            self.driver.wake();
        }
    }
}
