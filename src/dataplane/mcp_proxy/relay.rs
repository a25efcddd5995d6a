//! An upstream's answer on its way to the client: ids and progress tokens are
//! the client's again, results are in its era, our credential is not in them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::unfold;
use http::StatusCode;
use http_body::Body as HttpBody;
use tokio::time::timeout;
use tracing::debug;

use agentkube_mcp::bridge;
use agentkube_mcp::method::{ListKind, Method};
use agentkube_mcp::seal::Sealer;
use agentkube_mcp::{Era, ErrorObject, Id, Kind, MAX_DEPTH, Message, error, json, message, sse};

use super::calls::Call;
use super::dispatch::upstream_error;
use super::forward::LEVEL;
use super::metrics::{Meter, Outcome};
use super::pieces::{Piece, pieces_body};
use super::place::Place;
use super::question::Questions;
use super::request_state;
use super::sessions::{Live, UnderWay};
use super::tasks::Names;
use super::telling::{Teller, Word};
use super::upstream::{CancelGuard, Events, Follow, Lane, Upstream, UpstreamError, Withheld};
use crate::edge::{BoxError, Tally};

/// How long a stream is silent before a comment keeps it open.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    /// What a modern client can do, as JSON text.
    pub(super) capabilities: Option<String>,
    /// What binds the states that it gets.
    pub(super) scope: Option<String>,
    /// What the client follows, or no longer, once the upstream agreed.
    pub(super) follow: Option<Followed>,
    /// How the client's request is counted.
    pub(super) tally: Tally,
    /// How the upstream's answer is.
    pub(super) meter: Meter,
}

/// What a client follows at a legacy upstream, or no longer.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) follow: Follow,
    /// For the other replicas: should the upstream forget the session, each of them
    /// opens another and follows it there.
    pub(super) told: Option<(Teller, Word)>,
}

impl Followed {
    /// The upstream does as it was asked.
    fn agreed(&self) {
        self.follow.agreed();
        if let Some((teller, word)) = self.told.clone() {
            teller.tell_soon(&word);
        }
    }
}

/// The hop that an answer comes from.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) upstream: Arc<Upstream>,
    pub(super) lane: Lane,
    /// The id of the call on that hop.
    pub(super) id: Id<'static>,
    /// The session, when the hop is that client's alone: then everything that
    /// comes is for the client, questions too.
    pub(super) own: Option<Arc<Live>>,
    pub(super) sealer: Arc<Sealer>,
    /// What it must not say to the client.
    pub(super) withheld: Withheld,
    /// Whose tasks come from it, when their ids are sealed.
    pub(super) tasks: Option<String>,
}

/// A streamed answer.
#[derive(Debug)]
pub(super) struct Relay {
    route: Route,
    events: Events,
    asker: Asker,
    cancel: Option<CancelGuard>,
    first: Option<Step>,
    /// The stream told where to go on, should it end too early.
    primed: bool,
    /// The question that the last event asks the client: the upstream's own id of it,
    /// and its method.
    question: Option<(Id<'static>, String)>,
    _call: Option<Call>,
    under_way: Option<UnderWay>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// A notification, a question, or only an id to go on from: an event.
    Event(String),
    /// The answer; nothing comes after it.
    Last { status: StatusCode, text: String },
    /// The client does not want the answer any more.
    Cancelled,
    /// Nothing comes any more on this stream: the client reads on elsewhere.
    End,
}

impl Asker {
    /// The upstream's response as the client's.
    pub(super) fn translate(
        &self,
        route: &Route,
        bytes: &[u8],
    ) -> Result<(StatusCode, String), UpstreamError> {
        let message = Message::decode(bytes, MAX_DEPTH)
            .map_err(|error| UpstreamError::Garbled(error.to_string()))?;
        self.response(route, &message)
            .ok_or_else(|| UpstreamError::Garbled("it is no response".to_owned()))
    }

    fn response(&self, route: &Route, message: &Message<'_>) -> Option<(StatusCode, String)> {
        let Route { lane, sealer, .. } = route;
        let names = route.names();
        let mut edit = message.object().edit();
        edit.set("id", self.id.as_json());
        let status = match message.kind() {
            Kind::Result { result, .. } => {
                self.follow.iter().for_each(Followed::agreed);
                let route = bridge::Route {
                    client: self.era,
                    upstream: lane.era(),
                    method: self.method,
                    server_info: &self.info,
                };
                let result = bridge::result_for(result, route);
                let named = names.and_then(|names| names.result(&result));
                let result = named.map_or(result, Cow::Owned);
                let scope = self.scope.as_deref();
                let sealed = scope.and_then(|scope| request_state::sealed(sealer, scope, &result));
                match (sealed, result) {
                    (Some(changed), _) | (None, Cow::Owned(changed)) => {
                        edit.set("result", changed);
                    }
                    (None, Cow::Borrowed(_)) => {}
                }
                self.meter.ended(Outcome::Ok);
                StatusCode::OK
            }
            Kind::Error { error, .. } if self.urls_required(lane, error).is_some() => {
                self.meter.ended(Outcome::Ok);
                let result = self.urls_required(lane, error).unwrap_or_default();
                let route = bridge::Route {
                    client: self.era,
                    upstream: lane.era(),
                    method: self.method,
                    server_info: &self.info,
                };
                edit.remove("error");
                edit.set("result", bridge::result_for(&result, route).into_owned());
                StatusCode::OK
            }
            Kind::Error { error, .. } => {
                self.meter.ended(Outcome::Error);
                let code = error::code_of(error).unwrap_or_default();
                self.tally.set(error::fault(code));
                let (error, status) = bridge::error_for(error, self.era);
                if let Cow::Owned(changed) = error {
                    edit.set("error", changed);
                }
                status
            }
            _ => return None,
        };
        let text = route.withheld.redact(Cow::Owned(edit.finish()));
        Some((status, text.into_owned()))
    }

    /// A legacy upstream's wish that URLs are visited, as a modern result.
    fn urls_required(&self, lane: &Lane, error: &str) -> Option<String> {
        if self.era == Era::Legacy || lane.era() == Era::Modern {
            return None;
        }
        bridge::urls_required(error, self.capabilities.as_deref()?)
    }

    /// A notification of the upstream as the client gets it; `None` for one
    /// that is not meant for it.
    fn notification(&self, route: &Route, message: &Message<'_>) -> Option<String> {
        let Route { lane, id, .. } = route;
        if let Some(live) = &route.own {
            return Some(route.questions(live).notification(message));
        }
        let method = message.method()?;
        if method != "notifications/progress" && route.upstream.mixes(lane) {
            // There nothing says about which of the calls it is, and this one may be
            // another client's.
            return None;
        }
        match method {
            "notifications/progress" => {
                let params = message.params()?;
                // Only the token of this call: a shared session may carry others.
                let token = params.value("progressToken")?;
                if json::string(token).as_deref().unwrap_or(token) != id.as_json() {
                    return None;
                }
                let own = self.progress_token.as_deref()?;
                let params = params.edit().set("progressToken", own).finish();
                Some(message.object().edit().set("params", params).finish())
            }
            "notifications/message" if lane.era() == Era::Legacy => {
                let wanted = match self.era {
                    // 2026-07-28, Logging: none without a level in the request.
                    Era::Modern => severity(&json::string(self.log_level.as_deref()?)?)?,
                    // We had all of it logged.
                    Era::Legacy if lane.logs() => severity(LEVEL)?,
                    Era::Legacy => 0,
                };
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

impl Route {
    fn names(&self) -> Option<Names<'_>> {
        Some(Names {
            sealer: &self.sealer,
            owner: self.tasks.as_deref()?,
            upstream: self.upstream.fingerprint,
        })
    }

    /// A message with the ids of tasks as the client has them.
    fn with_tasks(&self, text: String) -> String {
        match self.names() {
            Some(names) => names.message(text),
            None => text,
        }
    }

    fn questions<'a>(&'a self, live: &'a Live) -> Questions<'a> {
        Questions {
            upstream: &self.upstream,
            lane: &self.lane,
            live,
            sealer: &self.sealer,
        }
    }
}

impl Relay {
    pub(super) fn new(
        route: Route,
        events: Events,
        asker: Asker,
        cancel: CancelGuard,
        (call, under_way): (Option<Call>, Option<UnderWay>),
    ) -> Self {
        Self {
            route,
            events,
            asker,
            cancel: Some(cancel),
            first: None,
            primed: false,
            question: None,
            _call: call,
            under_way,
        }
    }

    /// Gives a step back that was taken too early.
    pub(super) fn put_back(&mut self, step: Step) {
        self.first = Some(step);
    }

    /// True when the client may read on elsewhere.
    pub(super) fn has_primed(&self) -> bool {
        self.primed
    }

    /// The next event for the client. Waiting may be given up and begun anew.
    pub(super) async fn step(&mut self) -> Step {
        if let Some(step) = self.first.take() {
            return step;
        }
        let cancelled = self.under_way.as_ref().map(|it| it.cancelled.clone());
        match cancelled {
            None => self.advance().await,
            Some(cancelled) => tokio::select! {
                step = self.advance() => step,
                () = cancelled.cancelled() => {
                    self.asker.tally.abort();
                    Step::Cancelled
                }
            },
        }
    }

    async fn advance(&mut self) -> Step {
        loop {
            let event = match self.events.event().await {
                Ok(Some(event)) => event,
                // The upstream let go of the connection; the answer comes on the
                // stream that the client opens from the last id.
                Ok(None) if self.primed => return Step::End,
                Ok(None) => return self.failed(&UpstreamError::Cut),
                Err(error) => return self.failed(&error),
            };
            let place = self.place(&event);
            self.primed |= place.is_told();
            if event.data.is_empty() {
                if place.is_told() {
                    return Step::Event(place.frame(""));
                }
                continue;
            }
            let message = match Message::decode(&event.data, MAX_DEPTH) {
                Ok(message) => message,
                Err(error) => return self.failed(&UpstreamError::Garbled(error.to_string())),
            };
            match message.kind() {
                Kind::Request { id, method } => {
                    if let Some(text) = self.question(&message) {
                        self.question = Some((id.clone().into_owned(), method.to_string()));
                        let text = self.route.with_tasks(text);
                        return Step::Event(place.frame(&text));
                    }
                }
                Kind::Notification { .. } => {
                    self.overhear(&message);
                    if let Some(text) = self.asker.notification(&self.route, &message) {
                        let text = self.route.with_tasks(text);
                        let text = self.route.withheld.redact(Cow::Owned(text));
                        return Step::Event(place.frame(&text));
                    }
                }
                Kind::Result { id, .. } | Kind::Error { id: Some(id), .. }
                    if !id.is(&self.route.id) =>
                {
                    debug!(upstream = %self.route.upstream.name, "response to something else");
                }
                Kind::Result { .. } | Kind::Error { .. } => {
                    if let Some((status, text)) = self.asker.response(&self.route, &message) {
                        if let Some(cancel) = self.cancel.take() {
                            cancel.done();
                        }
                        self.route.upstream.note_whole();
                        return Step::Last { status, text };
                    }
                }
            }
        }
    }

    /// Where the client may go on after this event: told in its own session only.
    fn place(&self, event: &sse::Event) -> Place {
        match &self.route.own {
            Some(live) if !live.is_on_stream() => {
                Place::answer(self.route.upstream.fingerprint, event)
            }
            _ => Place::default(),
        }
    }

    /// A question of the upstream as the client gets it. Where clients share a
    /// session nobody can be asked.
    fn question(&self, message: &Message<'_>) -> Option<String> {
        let Route { upstream, lane, .. } = &self.route;
        let Some(live) = &self.route.own else {
            upstream.refuse_soon(lane, message);
            return None;
        };
        let text = self.route.questions(live).request(message)?;
        Some(self.route.withheld.redact(Cow::Owned(text)).into_owned())
    }

    /// The answer without what comes before it; `None` when the client does not
    /// want it any more. An upstream that asks is told that nobody can be asked: else
    /// it would wait.
    pub(super) async fn last(mut self) -> Option<(StatusCode, String)> {
        loop {
            match self.step().await {
                Step::Last { status, text } => return Some((status, text)),
                Step::Event(_) => {
                    if let Some((id, method)) = self.question.take() {
                        let Route { upstream, lane, .. } = &self.route;
                        upstream.refuse_question_soon(lane, &id, &method);
                    }
                }
                Step::Cancelled => return None,
                Step::End => return Some((StatusCode::OK, self.elsewhere())),
            }
        }
    }

    /// The upstream tells the answer on another stream, which this client does not
    /// read. That is no failure of the upstream.
    fn elsewhere(&mut self) -> String {
        self.asker.meter.ended(Outcome::Failed);
        self.asker.tally.set(StatusCode::BAD_GATEWAY);
        let text = "the upstream answers on another stream: accept text/event-stream";
        let error = ErrorObject::new(error::INTERNAL_ERROR, text);
        message::failure(Some(&self.asker.id), &error)
    }

    /// Changed lists are read again when a name is not found; here only the
    /// list of tools is, so that `/digest` and the filter's report are current.
    fn overhear(&self, message: &Message<'_>) {
        if message.method() == Some("notifications/tools/list_changed") {
            self.route.upstream.read_again_soon(ListKind::Tools);
        }
    }

    /// A stream never just ends: the client is told that its answer is lost.
    fn failed(&mut self, error: &UpstreamError) -> Step {
        if let Some(cancel) = self.cancel.take() {
            cancel.failed(error);
        }
        self.asker.meter.ended(Outcome::Failed);
        self.asker.tally.set(StatusCode::BAD_GATEWAY);
        self.route.upstream.note_stream(error);
        let object = upstream_error(&self.route.upstream.name, error);
        let text = message::failure(Some(&self.asker.id), &object);
        Step::Last {
            status: StatusCode::OK,
            text,
        }
    }

    /// The events as a body. Dropping it is the client going away.
    pub(super) fn into_body(self) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send {
        pieces_body(unfold(Some(Box::new(self)), |relay| async move {
            let mut relay = relay?;
            match timeout(KEEP_ALIVE, relay.step()).await {
                Err(_) => Some((Piece::open(sse::KEEP_ALIVE), Some(relay))),
                Ok(Step::Event(frame)) => Some((Piece::open(frame), Some(relay))),
                Ok(Step::Last { text, .. }) => Some((Piece::last(sse::frame(&text)), None)),
                Ok(Step::Cancelled | Step::End) => Some((Piece::last(Bytes::new()), None)),
            }
        }))
    }
}
