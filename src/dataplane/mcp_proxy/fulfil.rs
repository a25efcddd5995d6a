//! A legacy client before a modern upstream that needs input.
//!
//! The modern upstream answers `input_required` and keeps nothing; the client
//! knows only questions in the middle of its call. So the proxy asks them on the
//! stream of the call, waits for the answers, and calls again with them
//! (2026-07-28, Patterns, "Multi Round-Trip Requests").

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agentkube_mcp::bridge::{self, InputRequired};
use agentkube_mcp::{Era, ErrorObject, Id, Kind, MAX_DEPTH, Message, error, json, message, sse};
use bytes::Bytes;
use futures::Stream;
use futures::future::join_all;
use http::{HeaderMap, StatusCode};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::calls;
use super::dispatch::Caller;
use super::forward::{Errand, forward};
use super::locate::Found;
use super::pieces::{Driven, Piece, kept_alive};
use super::proxy::State;
use super::relay::Step;
use super::reply::Reply;
use super::serving::Serving;
use super::sessions::{Live, UnderWay};
use crate::edge::Tally;

/// How often one call may need input.
const MAX_ROUNDS: usize = 16;

/// How long a client may take for its answers.
const PATIENCE: Duration = Duration::from_secs(600);

/// Frames that wait for a slow reader.
const MAX_WAITING: usize = 16;

/// A call that may be made again.
pub(super) struct Call {
    state: Arc<State>,
    serving: Arc<Serving>,
    live: Arc<Live>,
    client: String,
    headers: HeaderMap,
    /// The client's message.
    text: String,
    method: agentkube_mcp::method::Method,
    found: Found,
    session: agentkube_mcp::inbound::Session,
    party: super::party::Party,
    tally: Tally,
    /// It can be cancelled until the last answer.
    under_way: UnderWay,
    /// Held until the last answer, however often it is called.
    _slot: Option<calls::Call>,
}

/// The first answer to a call, and the call, should that answer need input.
pub(super) struct MayAsk {
    call: Call,
    first: Reply,
}

impl MayAsk {
    /// The questions to the client and the answer, made while they are read.
    pub(super) fn pieces(self) -> Pin<Box<dyn Stream<Item = Piece> + Send>> {
        let (out, frames) = mpsc::channel(MAX_WAITING);
        let driven = Driven::new(self.call.drive(self.first, out), frames);
        Box::pin(kept_alive(driven))
    }

    /// The answer, for a client that takes no stream. It cannot be asked, which is
    /// known only when the upstream wants to.
    pub(super) async fn whole(self) -> Option<(StatusCode, String)> {
        let (status, text) = match self.first {
            Reply::Whole { status, text } => (status, text),
            Reply::Stream(relay) => relay.last().await?,
            _ => return None,
        };
        if needs_input(&text).is_none() {
            return Some((status, text));
        }
        let text = "this call asks for input: accept text/event-stream";
        let error = ErrorObject::new(error::INVALID_REQUEST, text);
        Some((StatusCode::OK, self.call.failure(&error)))
    }
}

impl Call {
    /// The call of this errand; `None` when its client cannot be asked.
    pub(super) fn of(state: &Arc<State>, errand: &mut Errand<'_, '_>) -> Option<Self> {
        let caller = errand.caller;
        let live = caller.party.session()?;
        Some(Self {
            state: Arc::clone(state),
            serving: Arc::clone(caller.serving),
            live: Arc::clone(live),
            client: caller.client.to_owned(),
            headers: caller.headers.clone(),
            text: errand.message.object().edit().finish(),
            method: errand.method,
            found: errand.found.clone(),
            session: caller.session,
            party: caller.party.clone(),
            tally: caller.tally.clone(),
            under_way: live.begin(errand.id.as_json(), errand.found.upstream.fingerprint),
            _slot: errand.call.take(),
        })
    }

    /// The answer, with the questions before it.
    pub(super) fn serve(self, first: Reply) -> Reply {
        let asks = match &first {
            Reply::Whole { text, .. } => needs_input(text).is_some(),
            // Whether it does is known at its end.
            Reply::Stream(_) => true,
            _ => false,
        };
        if !asks {
            return first;
        }
        Reply::MayAsk(Box::new(MayAsk { call: self, first }))
    }

    async fn drive(self, first: Reply, out: mpsc::Sender<Piece>) {
        tokio::select! {
            () = self.rounds(first, &out) => {}
            // Also while the client is asked: its answer must not do what it cancelled.
            () = self.under_way.cancelled.cancelled() => {
                self.tally.abort();
                say(&out, Piece::last(Bytes::new())).await;
            }
        }
    }

    async fn rounds(&self, first: Reply, out: &mpsc::Sender<Piece>) {
        let mut reply = first;
        for _ in 0..MAX_ROUNDS {
            let Some(text) = read(reply, out).await else {
                return;
            };
            let Some(required) = needs_input(&text) else {
                return say(out, Piece::last(sse::frame(&text))).await;
            };
            reply = match self.ask(&required, out).await {
                Ok(responses) => self.again(&required, &responses).await,
                Err(error) => return self.fail(out, &error).await,
            };
        }
        let text = "the upstream needs input again and again";
        let error = ErrorObject::new(error::INTERNAL_ERROR, text);
        self.fail(out, &error).await;
    }

    /// Asks the client everything at once and waits for all answers.
    async fn ask(
        &self,
        required: &InputRequired,
        out: &mpsc::Sender<Piece>,
    ) -> Result<BTreeMap<String, String>, ErrorObject> {
        let desk = &self.state.desk;
        let mut waiting = Vec::new();
        for (key, request) in &required.requests {
            let (id, answer) = desk
                .open(&self.serving.sealer, &self.live)
                .ok_or_else(|| ErrorObject::new(error::INTERNAL_ERROR, "nothing can be asked"))?;
            let question = bridge::question(request, &json::quote(&id));
            let question = question.ok_or_else(|| {
                let text = "the upstream asks for input in a form that is not known here";
                ErrorObject::new(error::INTERNAL_ERROR, text)
            })?;
            let question = self.serving.redact(question.into());
            say(out, Piece::open(sse::frame(&question))).await;
            waiting.push(async move { (key.clone(), answer.await) });
        }
        let answers = timeout(PATIENCE, join_all(waiting)).await;
        let answers = answers.map_err(|_| {
            ErrorObject::new(
                error::INTERNAL_ERROR,
                "the client did not give the input in time",
            )
        })?;
        let answers = answers.into_iter();
        answers
            .map(|(key, text)| Ok((key, given(&text)?)))
            .collect()
    }

    async fn again(&self, required: &InputRequired, given: &BTreeMap<String, String>) -> Reply {
        let text = bridge::with_input(&self.text, required, given);
        let Ok(message) = Message::parse(&text) else {
            return Reply::Cancelled;
        };
        let Kind::Request { id, .. } = message.kind() else {
            return Reply::Cancelled;
        };
        let granted = self.serving.access.of(&self.client);
        let caller = Caller {
            state: &self.state,
            serving: &self.serving,
            granted: &granted,
            client: &self.client,
            party: &self.party,
            tally: &self.tally,
            session: self.session,
            headers: &self.headers,
        };
        forward(Errand {
            caller: &caller,
            message: &message,
            id,
            method: self.method,
            found: self.found.clone(),
            call: None,
            scope: None,
            state: None,
        })
        .await
    }

    async fn fail(&self, out: &mpsc::Sender<Piece>, error: &ErrorObject) {
        let text = self.failure(error);
        say(out, Piece::last(sse::frame(&text))).await;
    }

    /// The call failed here.
    fn failure(&self, error: &ErrorObject) -> String {
        self.tally.set(error::fault(error.code));
        let id = Message::parse(&self.text).ok();
        let id = id.as_ref().and_then(Message::id).map(Id::as_json);
        let id = id.and_then(Id::parse);
        message::failure(id.as_ref(), error)
    }
}

/// The input that an answer needs, if it needs any.
fn needs_input(text: &str) -> Option<InputRequired> {
    if !InputRequired::may_be_in(text) {
        return None;
    }
    let message = Message::parse(text).ok()?;
    match message.kind() {
        Kind::Result { result, .. } => InputRequired::read(result),
        _ => None,
    }
}

/// A legacy answer that only a modern client could act on, as an error.
pub(super) fn refused(reply: Reply, era: Era) -> Reply {
    let Reply::Whole { status, text } = &reply else {
        return reply;
    };
    if era == Era::Modern || needs_input(text).is_none() {
        return reply;
    }
    let id = Message::parse(text).ok();
    let id = id.as_ref().and_then(Message::id);
    let text = "the upstream needs input from the client: initialize a session and declare \
                elicitation or sampling";
    let error = ErrorObject::new(error::INVALID_REQUEST, text);
    Reply::failure(id, *status, &error)
}

/// Passes a reply on as far as its last message, which is returned.
async fn read(reply: Reply, out: &mpsc::Sender<Piece>) -> Option<String> {
    let mut relay = match reply {
        Reply::Whole { text, .. } => return Some(text),
        Reply::Stream(relay) => relay,
        _ => {
            say(out, Piece::last(Bytes::new())).await;
            return None;
        }
    };
    loop {
        match relay.step().await {
            Step::Event(frame) => say(out, Piece::open(frame)).await,
            Step::Last { text, .. } => return Some(text),
            Step::Cancelled | Step::End => {
                say(out, Piece::last(Bytes::new())).await;
                return None;
            }
        }
    }
}

/// What a client's answer gives. A client that refuses an elicitation says so
/// in a result; an error gives nothing.
fn given(text: &str) -> Result<String, ErrorObject> {
    let message = Message::decode(text.as_bytes(), MAX_DEPTH).ok();
    match message.as_ref().map(Message::kind) {
        Some(Kind::Result { result, .. }) => Ok((*result).to_owned()),
        _ => Err(ErrorObject::new(
            error::INTERNAL_ERROR,
            "the client answered the upstream's question with an error",
        )),
    }
}

/// When nobody reads, the body is dropped, and this with it.
async fn say(out: &mpsc::Sender<Piece>, piece: Piece) {
    drop(out.send(piece).await);
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
