//! An upstream's answer on its way to the client: ids and progress tokens are
//! the client's again, results are in its era, our credential is not in them.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};
use tokio::time::timeout;
use tracing::debug;

use agentkube_mcp::bridge::{self, Route};
use agentkube_mcp::method::{ListKind, Method};
use agentkube_mcp::{Era, Id, Kind, MAX_DEPTH, Message, json, message, sse};

use super::calls::Call;
use super::dispatch::upstream_error;
use super::upstream::{CancelGuard, Events, Lane, Upstream, UpstreamError};
use crate::edge::BoxError;

/// How long a stream is silent before a comment keeps it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the client needs to recognise its answer.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) id: Id<'static>,
    pub(super) era: Era,
    pub(super) method: Method,
    /// As JSON text; without one the client wants no progress.
    pub(super) progress_token: Option<String>,
    /// As JSON text; without one a modern client wants no log messages.
    pub(super) log_level: Option<String>,
    /// Who the proxy is, as JSON text.
    pub(super) info: Arc<str>,
}

/// A streamed answer.
#[derive(Debug)]
pub(super) struct Relay {
    upstream: Arc<Upstream>,
    lane: Lane,
    id: u64,
    events: Events,
    asker: Asker,
    cancel: Option<CancelGuard>,
    first: Option<String>,
    _call: Option<Call>,
}

/// What comes next.
pub(super) enum Step {
    /// A notification.
    Event(String),
    /// The answer; nothing comes after it.
    Last { status: StatusCode, text: String },
}

impl Asker {
    /// The upstream's response as the client's.
    pub(super) fn translate(
        &self,
        upstream: &Upstream,
        lane: &Lane,
        bytes: &[u8],
    ) -> Result<(StatusCode, String), UpstreamError> {
        let message = Message::decode(bytes, MAX_DEPTH)
            .map_err(|error| UpstreamError::Garbled(error.to_string()))?;
        self.response(upstream, lane, &message)
            .ok_or_else(|| UpstreamError::Garbled("it is no response".to_owned()))
    }

    fn response(
        &self,
        upstream: &Upstream,
        lane: &Lane,
        message: &Message<'_>,
    ) -> Option<(StatusCode, String)> {
        let mut edit = message.object().edit();
        edit.set("id", self.id.as_json());
        let status = match message.kind() {
            Kind::Result { result, .. } => {
                let route = Route {
                    client: self.era,
                    upstream: lane.era(),
                    method: self.method,
                    server_info: &self.info,
                };
                if let Cow::Owned(changed) = bridge::result_for(result, route) {
                    edit.set("result", changed);
                }
                StatusCode::OK
            }
            Kind::Error { error, .. } => {
                let (error, status) = bridge::error_for(error, self.era);
                if let Cow::Owned(changed) = error {
                    edit.set("error", changed);
                }
                status
            }
            _ => return None,
        };
        let text = upstream.redact(Cow::Owned(edit.finish()));
        Some((status, text.into_owned()))
    }

    /// A notification of the upstream as the client gets it; `None` for one
    /// that is not meant for it.
    fn notification(&self, lane: &Lane, id: u64, message: &Message<'_>) -> Option<String> {
        match message.method()? {
            "notifications/progress" => {
                let params = message.params()?;
                // Only the token of this call: a shared session may carry others.
                let token = params.value("progressToken")?;
                if json::string(token).as_deref().unwrap_or(token) != id.to_string() {
                    return None;
                }
                let own = self.progress_token.as_deref()?;
                let params = params.edit().set("progressToken", own).finish();
                Some(message.object().edit().set("params", params).finish())
            }
            "notifications/message" if self.era == Era::Modern && lane.era() == Era::Legacy => {
                // 2026-07-28, Logging: none without a level in the request.
                let wanted = severity(&json::string(self.log_level.as_deref()?)?)?;
                let level = severity(&message.param("level")?)?;
                (level >= wanted).then(|| message.object().edit().finish())
            }
            "notifications/cancelled" => None,
            // Not promised in the capabilities, and not about this request.
            method if method.ends_with("/list_changed") => None,
            "notifications/resources/updated" => None,
            _ => Some(message.object().edit().finish()),
        }
    }
}

fn severity(level: &str) -> Option<usize> {
    [
        "debug",
        "info",
        "notice",
        "warning",
        "error",
        "critical",
        "alert",
        "emergency",
    ]
    .iter()
    .position(|known| *known == level)
}

impl Relay {
    pub(super) fn new(
        upstream: Arc<Upstream>,
        lane: Lane,
        id: u64,
        events: Events,
        asker: Asker,
        cancel: CancelGuard,
        call: Option<Call>,
    ) -> Self {
        Self {
            upstream,
            lane,
            id,
            events,
            asker,
            cancel: Some(cancel),
            first: None,
            _call: call,
        }
    }

    /// Gives an event back that was taken too early.
    pub(super) fn put_back(&mut self, event: String) {
        self.first = Some(event);
    }

    /// The next event for the client. Waiting may be given up and begun anew.
    pub(super) async fn step(&mut self) -> Step {
        if let Some(event) = self.first.take() {
            return Step::Event(event);
        }
        loop {
            let bytes = match self.events.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return self.failed(&UpstreamError::Cut),
                Err(error) => return self.failed(&error),
            };
            let message = match Message::decode(&bytes, MAX_DEPTH) {
                Ok(message) => message,
                Err(error) => return self.failed(&UpstreamError::Garbled(error.to_string())),
            };
            match message.kind() {
                Kind::Request { .. } => self.upstream.refuse_soon(&self.lane, &message),
                Kind::Notification { .. } => {
                    self.overhear(&message);
                    if let Some(text) = self.asker.notification(&self.lane, self.id, &message) {
                        return Step::Event(self.upstream.redact(Cow::Owned(text)).into_owned());
                    }
                }
                Kind::Result { id, .. } | Kind::Error { id: Some(id), .. }
                    if !id.is(&Id::from(self.id)) =>
                {
                    debug!(upstream = %self.upstream.name, "response to something else");
                }
                Kind::Result { .. } | Kind::Error { .. } => {
                    if let Some((status, text)) =
                        self.asker.response(&self.upstream, &self.lane, &message)
                    {
                        if let Some(cancel) = self.cancel.take() {
                            cancel.done();
                        }
                        return Step::Last { status, text };
                    }
                }
            }
        }
    }

    /// The answer without what comes before it.
    pub(super) async fn last(mut self) -> (StatusCode, String) {
        loop {
            if let Step::Last { status, text } = self.step().await {
                return (status, text);
            }
        }
    }

    /// Changed lists are read again when a name is not found; here only the
    /// list of tools is, so that `/digest` and the filter's report are current.
    fn overhear(&self, message: &Message<'_>) {
        if message.method() == Some("notifications/tools/list_changed") {
            self.upstream.read_again_soon(ListKind::Tools);
        }
    }

    /// A stream never just ends: the client is told that its answer is lost.
    fn failed(&mut self, error: &UpstreamError) -> Step {
        if let Some(cancel) = self.cancel.take() {
            cancel.failed(error);
        }
        self.upstream.note_stream(error);
        let object = upstream_error(&self.upstream.name, error);
        let text = message::failure(Some(&self.asker.id), &object);
        Step::Last {
            status: StatusCode::OK,
            text,
        }
    }

    /// The events as a body. Dropping it is the client going away.
    pub(super) fn into_body(self) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send {
        let frames = unfold(Some(Box::new(self)), |relay| async move {
            let mut relay = relay?;
            match timeout(KEEP_ALIVE, relay.step()).await {
                Err(_) => Some((Piece::open(sse::KEEP_ALIVE), Some(relay))),
                Ok(Step::Event(text)) => Some((Piece::open(sse::frame(&text)), Some(relay))),
                Ok(Step::Last { text, .. }) => {
                    let last = true;
                    Some((
                        Piece {
                            bytes: sse::frame(&text).into(),
                            last,
                        },
                        None,
                    ))
                }
            }
        });
        RelayBody {
            pieces: Box::pin(frames),
            ended: false,
        }
    }
}

struct Piece {
    bytes: Bytes,
    last: bool,
}

impl Piece {
    fn open(text: impl Into<Bytes>) -> Self {
        Self {
            bytes: text.into(),
            last: false,
        }
    }
}

/// A stream of pieces as a body that knows its last one.
struct RelayBody<S> {
    pieces: Pin<Box<S>>,
    ended: bool,
}

impl<S: Stream<Item = Piece>> HttpBody for RelayBody<S> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.as_mut().poll_next(cx).map(|piece| {
            let piece = piece?;
            self.ended = piece.last;
            Some(Ok(Frame::data(piece.bytes)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
