//! To which request a message of a program belongs.
//!
//! On stdio nothing says so but ids, progress tokens and subscription ids. What
//! names none of them (a log message, a question to the client) goes to the
//! request that came last, since a program that works on one at a time, as most
//! do, is working on that; without one, to the session's own stream.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use tokio::sync::mpsc;

use agentkube_mcp::{Id, Kind, Message};

/// Messages that wait for one reader. Beyond it notifications are left out; the
/// last place is kept for the answer.
const WAITING: usize = 256;

/// Names the request of a subscription in its notifications.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The requests under way with one child.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    calls: Vec<Waiting>,
    /// The session's own stream.
    own: Option<mpsc::Sender<Bytes>>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    id: Id<'static>,
    token: Option<String>,
    out: mpsc::Sender<Bytes>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Somebody has it.
    Done,
    /// Nobody wants it.
    Unwanted,
}

impl Inbox {
    /// Makes a place for the answer of a request; `None` when one with its id is
    /// under way, or the child has ended.
    pub(crate) fn expect(&self, request: &Message<'_>) -> Option<mpsc::Receiver<Bytes>> {
        let id = request.id()?.clone().into_owned();
        let token = request.meta();
        let token = token.and_then(|meta| meta.value("progressToken").map(str::to_owned));
        let (out, answers) = mpsc::channel(WAITING);
        let mut state = self.state();
        if state.closed || state.calls.iter().any(|call| call.id.is(&id)) {
            return None;
        }
        state.calls.push(Waiting { id, token, out });
        Some(answers)
    }

    /// Nobody waits for this answer any more. True when it had not come.
    pub(crate) fn forget(&self, id: &Id<'_>) -> bool {
        let mut state = self.state();
        let before = state.calls.len();
        state.calls.retain(|call| !call.id.is(id));
        state.calls.len() < before
    }

    /// Opens the session's own stream, in place of the one before.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Bytes> {
        let (own, messages) = mpsc::channel(WAITING);
        let mut state = self.state();
        if !state.closed {
            state.own = Some(own);
        }
        messages
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
                sent(call.out.try_send(bytes).is_ok())
            }
            Kind::Error { id: None, .. } => match state.calls.as_slice() {
                [_] => {
                    let call = state.calls.remove(0);
                    sent(call.out.try_send(bytes).is_ok())
                }
                _ => Delivery::Unwanted,
            },
            Kind::Request { .. } | Kind::Notification { .. } => {
                let to = state.reader(message);
                sent(to.is_some_and(|to| to.capacity() > 1 && to.try_send(bytes).is_ok()))
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reader(&self, message: &Message<'_>) -> Option<&mpsc::Sender<Bytes>> {
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
