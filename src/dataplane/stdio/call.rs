//! One request to a child, from its first byte to its answer.

use std::sync::Arc;

use bytes::Bytes;

use agentkube_mcp::{Id, Message, message};

use super::child::Child;
use super::inbox::Mail;

/// A request under way. Dropped before its answer came, nobody waits for it.
#[derive(Debug)]
pub(super) struct Call {
    child: Arc<Child>,
    id: Id<'static>,
    answers: Mail,
    /// The client that goes away cancels: so it is in the modern era.
    cancels: bool,
}

impl Call {
    /// Gives a request to a child. `None` when that has ended, or works on one of
    /// the same id.
    pub(super) async fn begin(
        child: &Arc<Child>,
        request: &Message<'_>,
        text: &[u8],
        cancels: bool,
    ) -> Option<Self> {
        let id = request.id()?.clone().into_owned();
        let answers = child.inbox.expect(request)?;
        let call = Self {
            child: Arc::clone(child),
            id,
            answers,
            cancels,
        };
        child.write(text.to_vec()).await.then_some(call)
    }

    /// The next message that belongs to it; `None` when the child ended, or after
    /// the answer.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.answers.recv().await
    }

    /// Whether this message is its answer.
    pub(super) fn is_answered_by(&self, message: &Message<'_>) -> bool {
        message.method().is_none() && message.id().is_none_or(|id| id.is(&self.id))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let unanswered = self.child.inbox.forget(&self.id);
        self.child.rest();
        if unanswered && self.cancels {
            let reason = "\"reason\":\"the client went away\"";
            let params = format!("{{\"requestId\":{},{reason}}}", self.id);
            let method = "notifications/cancelled";
            self.child
                .write_now(message::notification(method, Some(&params)));
        }
    }
}
