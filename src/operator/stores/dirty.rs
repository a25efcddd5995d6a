//! Objects that want to be looked at again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, stream};
use tokio::sync::Notify;

/// A set of keys to be worked on. Marking a key twice keeps it once, so the set
/// is bounded by the number of objects, however many events arrive.
#[derive(Debug)]
pub(crate) struct Dirty<T> {
    keys: Mutex<BTreeSet<T>>,
    marked: Notify,
}

impl<T> Default for Dirty<T> {
    fn default() -> Self {
        Self {
            keys: Mutex::default(),
            marked: Notify::new(),
        }
    }
}

impl<T: Ord + Send + 'static> Dirty<T> {
    /// Wants `key` to be looked at.
    pub(crate) fn mark(&self, key: T) {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
        self.marked.notify_one();
    }

    /// The marked keys, for one consumer; never ends.
    pub(crate) fn stream(self: Arc<Self>) -> impl Stream<Item = T> + Send {
        stream::unfold(self, |dirty| async move {
            loop {
                if let Some(key) = dirty.pop() {
                    return Some((key, dirty));
                }
                dirty.marked.notified().await;
            }
        })
    }

    fn pop(&self) -> Option<T> {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_first()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_key_marked_twice_comes_once_and_again_when_marked_again() {
        let dirty = Arc::new(Dirty::default());
        dirty.mark(1);
        dirty.mark(1);
        dirty.mark(2);
        let mut stream = std::pin::pin!(Arc::clone(&dirty).stream());
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(stream.next().await, Some(2));
        assert!(futures::poll!(stream.next()).is_pending());
        dirty.mark(1);
        assert_eq!(stream.next().await, Some(1));
    }
}
