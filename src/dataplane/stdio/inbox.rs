//! To which request a message of a program belongs.
//!
//! On stdio nothing says so but ids, progress tokens and subscription ids. What
//! names none of them (a log message, a question to the client) goes to the
//! request that came last, since a program that works on one at a time, as most
//! do, is working on that; without one, to the session's own stream.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use agentkube_mcp::{Id, Kind, Message};

/// Messages that wait for one reader. Beyond it notifications are left out; the
/// last place is kept for the answer.
const WAITING: usize = 256;

/// Names the request of a subscription in its notifications.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The requests under way with one child.
///
/// Guarantees: what waits to be read holds at most so many bytes, beside one answer
/// for each request. Beyond it notifications are left out too.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    held: Arc<AtomicUsize>,
    most: usize,
}

/// The messages of one reader.
#[derive(Debug)]
pub(crate) struct Mail(mpsc::Receiver<Kept>);

/// A message that waits to be read.
#[derive(Debug)]
struct Kept {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    calls: Vec<Waiting>,
    /// The session's own stream.
    own: Option<mpsc::Sender<Kept>>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    id: Id<'static>,
    token: Option<String>,
    out: mpsc::Sender<Kept>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Somebody has it.
    Done,
    /// Nobody wants it.
    Unwanted,
}

impl Mail {
    /// The next one; `None` when no more come.
    pub(crate) async fn recv(&mut self) -> Option<Bytes> {
        Some(self.0.recv().await?.bytes.clone())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::AcqRel);
    }
}

impl Inbox {
    /// For messages of at most so many bytes: two of them may wait.
    pub(crate) fn new(message_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            held: Arc::default(),
            most: message_bytes.saturating_mul(2),
        }
    }

    /// Makes a place for the answer of a request; `None` when one with its id is
    /// under way, or the child has ended.
    pub(crate) fn expect(&self, request: &Message<'_>) -> Option<Mail> {
        let id = request.id()?.clone().into_owned();
        let token = request.meta();
        let token = token.and_then(|meta| meta.value("progressToken").map(str::to_owned));
        let (out, answers) = mpsc::channel(WAITING);
        let mut state = self.state();
        if state.closed || state.calls.iter().any(|call| call.id.is(&id)) {
            return None;
        }
        state.calls.push(Waiting { id, token, out });
        Some(Mail(answers))
    }

    /// Nobody waits for this answer any more. True when it had not come.
    pub(crate) fn forget(&self, id: &Id<'_>) -> bool {
        let mut state = self.state();
        let before = state.calls.len();
        state.calls.retain(|call| !call.id.is(id));
        state.calls.len() < before
    }

    /// Opens the session's own stream, in place of the one before.
    pub(crate) fn listen(&self) -> Mail {
        let (own, messages) = mpsc::channel(WAITING);
        let mut state = self.state();
        if !state.closed {
            state.own = Some(own);
        }
        Mail(messages)
    }

    /// True when a request is under way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.state().calls.is_empty()
    }

    /// True when somebody reads the session's own stream.
    pub(crate) fn is_heard(&self) -> bool {
        let state = self.state();
        state.own.as_ref().is_some_and(|own| !own.is_closed())
    }

    /// The child ended: whoever waits learns it.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.calls.clear();
        state.own = None;
    }

    /// Hands a message to whom it belongs.
    pub(crate) fn deliver(&self, message: &Message<'_>, bytes: Bytes) -> Delivery {
        let mut state = self.state();
        match message.kind() {
            Kind::Result { id, .. } | Kind::Error { id: Some(id), .. } => {
                let Some(at) = state.calls.iter().position(|call| call.id.is(id)) else {
                    return Delivery::Unwanted;
                };
                let call = state.calls.remove(at);
                // The last place was kept for it.
                sent(call.out.try_send(self.keep(bytes)).is_ok())
            }
            Kind::Error { id: None, .. } => match state.calls.as_slice() {
                [_] => {
                    let call = state.calls.remove(0);
                    sent(call.out.try_send(self.keep(bytes)).is_ok())
                }
                _ => Delivery::Unwanted,
            },
            Kind::Request { .. } | Kind::Notification { .. } => {
                let held = self.held.load(Ordering::Acquire);
                let fits = held.saturating_add(bytes.len()) <= self.most;
                let to = state.reader(message).filter(|_| fits);
                sent(
                    to.is_some_and(|to| to.capacity() > 1 && to.try_send(self.keep(bytes)).is_ok()),
                )
            }
        }
    }

    /// Counts a message until it was read. Only one message is delivered at a time.
    fn keep(&self, bytes: Bytes) -> Kept {
        self.held.fetch_add(bytes.len(), Ordering::AcqRel);
        Kept {
            bytes,
            held: Arc::clone(&self.held),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reader(&self, message: &Message<'_>) -> Option<&mpsc::Sender<Kept>> {
        let meta = message.meta();
        let subscription = meta.as_ref().and_then(|meta| meta.value(SUBSCRIPTION));
        if let Some(id) = subscription.and_then(Id::parse) {
            return self
                .calls
                .iter()
                .find(|call| call.id.is(&id))
                .map(|call| &call.out);
        }
        let token = message
            .params()
            .and_then(|params| params.value("progressToken"));
        if let Some(token) = token {
            let mut calls = self.calls.iter();
            return calls
                .find(|call| call.token.as_deref() == Some(token))
                .map(|call| &call.out);
        }
        let latest = self.calls.last().map(|call| &call.out);
        let own = self.own.as_ref().filter(|own| !own.is_closed());
        let general = message.method().is_some_and(|method| {
            method.ends_with("/list_changed") || method == "notifications/resources/updated"
        });
        if general {
            own.or(latest)
        } else {
            latest.or(own)
        }
    }
}

fn sent(is: bool) -> Delivery {
    if is {
        Delivery::Done
    } else {
        Delivery::Unwanted
    }
}

#[cfg(test)]
mod tests {
    use agentkube_mcp::MAX_DEPTH;

    use super::*;

    fn deliver(inbox: &Inbox, text: &str) -> Delivery {
        let message = Message::decode(text.as_bytes(), MAX_DEPTH).unwrap();
        inbox.deliver(&message, Bytes::copy_from_slice(text.as_bytes()))
    }

    fn log(of: &str, bytes: usize) -> String {
        let data = "x".repeat(bytes);
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/{of}","params":{{"x":"{data}"}}}}"#)
    }

    #[tokio::test]
    async fn unread_bytes_are_bounded_and_answers_have_their_place() {
        let inbox = Inbox::new(1_000);
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
        let call = Message::decode(call.as_bytes(), MAX_DEPTH).unwrap();
        let mut answers = inbox.expect(&call).unwrap();
        let mut own = inbox.listen();
        // However many readers there are, what waits for them is counted together.
        assert_eq!(deliver(&inbox, &log("message", 900)), Delivery::Done);
        assert_eq!(
            deliver(&inbox, &log("tools/list_changed", 900)),
            Delivery::Done
        );
        for of in ["message", "tools/list_changed"] {
            assert_eq!(deliver(&inbox, &log(of, 900)), Delivery::Unwanted);
        }
        assert!(own.recv().await.is_some());
        assert_eq!(
            deliver(&inbox, &log("message", 900)),
            Delivery::Done,
            "read"
        );
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(deliver(&inbox, answer), Delivery::Done);
        let mut read = Vec::new();
        while let Some(bytes) = answers.recv().await {
            read.push(bytes.len());
        }
        assert_eq!(read.len(), 3);
        assert_eq!(read[2], answer.len());
        assert_eq!(inbox.held.load(Ordering::Acquire), 0);
    }

    #[test]
    fn what_a_reader_left_behind_takes_no_room() {
        let inbox = Inbox::new(1_000);
        for _ in 0..10 {
            let own = inbox.listen();
            assert_eq!(deliver(&inbox, &log("message", 1_500)), Delivery::Done);
            drop(own);
        }
    }
}
