//! Feeds: parts of an answer that are decided on while it is being sent.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

/// What one answer goes on with. Clones are one feed; one answer eats it.
#[derive(Clone, Debug)]
pub struct Feed {
    send: mpsc::UnboundedSender<Option<Bytes>>,
    eat: Arc<Mutex<mpsc::UnboundedReceiver<Option<Bytes>>>>,
}

impl Feed {
    /// An empty feed.
    #[must_use]
    pub fn new() -> Self {
        let (send, eat) = mpsc::unbounded_channel();
        Self {
            send,
            eat: Arc::new(Mutex::new(eat)),
        }
    }

    /// The answer goes on with these bytes.
    pub fn send(&self, bytes: impl Into<Bytes>) {
        // An answer that is over eats nothing more.
        let _ = self.send.send(Some(bytes.into()));
    }

    /// The answer breaks off.
    pub fn cut(&self) {
        let _ = self.send.send(None);
    }

    /// The next bytes; `None` where it breaks off.
    pub(crate) async fn next(&self) -> Option<Bytes> {
        self.eat.lock().await.recv().await.flatten()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}
