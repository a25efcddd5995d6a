//! Who is woken for a connection that has no task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// The waker that a connection knows. Behind it is whoever drives the connection
/// now.
#[derive(Debug, Default)]
pub(super) struct Relay {
    driver: AtomicWaker,
    hears: AtomicU8,
}

/// Wake-ups go to the driver.
const HEARS: u8 = 0;
/// They do not.
const DEAF: u8 = 1;
/// They do not, and there was one.
const MISSED: u8 = 2;

impl Relay {
    /// From here on this one is woken.
    pub(super) fn listen(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// From here on nobody is.
    pub(super) fn leave(&self) {
        drop(self.driver.take());
    }

    /// Does what the connection would wake its driver for, which need not hear of it:
    /// taking a piece of an answer makes room for the next one, and says so.
    ///
    /// Tells with it whether there was a wake-up, which may have had other reasons: the
    /// socket's. Whoever neither got something, and will ask again, nor drives the
    /// connection next, has to see to it.
    pub(super) fn unheard<T>(&self, action: impl FnOnce() -> T) -> (T, bool) {
        self.hears.store(DEAF, Ordering::Release);
        let done = action();
        let missed = self.hears.swap(HEARS, Ordering::AcqRel) == MISSED;
        (done, missed)
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self
            .hears
            .compare_exchange(DEAF, MISSED, Ordering::AcqRel, Ordering::Acquire);
        // One that was noted before is as good.
        if !matches!(noted, Ok(_) | Err(MISSED)) {
            self.driver.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_up_is_heard_or_told_and_never_lost() {
        let (relay, woken) = (Arc::new(Relay::default()), Arc::new(Woken::default()));
        let driver = Waker::from(Arc::clone(&woken));
        relay.listen(&driver);
        let (_, missed) = relay.unheard(|| ());
        assert!(!missed);
        let (_, missed) = relay.unheard(|| {
            relay.wake_by_ref();
            relay.wake_by_ref();
        });
        assert!(missed);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        relay.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }
}
