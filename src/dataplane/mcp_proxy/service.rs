//! From an HTTP request to messages, and from their answers to a response.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;
use tower::Service;

use agentkube_mcp::inbound::{self, Session};
use agentkube_mcp::session::Home;
use agentkube_mcp::{
    Body as Messages, Era, ErrorObject, Granted, Kind, MAX_DEPTH, Message, Version, error, header,
    message,
};

use super::calls::Call;
use super::dispatch::{Caller, dispatch};
use super::party::Party;
use super::proxy::State;
use super::reply::{self, Reply};
use super::route::{ProxyError, Route};
use super::serving::Serving;
use super::sessions::{self, Live};
use super::telling::{Teller, Word};
use super::{old_clients, pod_relay, stream};
use crate::edge::{Body, Routed, Tally, collect};

/// The proxy's own service, inside the shared layers.
#[derive(Clone)]
pub struct ProxyService(Arc<State>);

impl ProxyService {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

impl std::fmt::Debug for ProxyService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyService").finish_non_exhaustive()
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, ProxyError>> + Send>>;

impl<B> Service<Routed<Route, B>> for ProxyService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<Route, B>) -> Answering {
        match routed.route {
            Route::Livez => Box::pin(ready(Ok(Response::new(Body::full("ok\n"))))),
            Route::Unknown | Route::Relayed | Route::Told => {
                Box::pin(ready(Err(ProxyError::NotFound)))
            }
            Route::Mcp | Route::OldMcp => Box::pin(answer(Arc::clone(&self.0), routed.request)),
        }
    }
}

/// How a request came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client itself.
    Direct,
    /// Another replica handed it on: it is not handed on again.
    Relayed,
}

async fn answer<B>(state: Arc<State>, request: Request<B>) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    let serving = state.serving().ok_or(ProxyError::NoPlan)?;
    serving.guard.check(&request)?;
    let client = serving.loaded.clients.authenticate(request.headers())?;
    serve(&state, &serving, client.name(), Way::Direct, request).await
}

/// Serves a request of this client, which was authenticated.
pub(super) async fn serve<B>(
    state: &Arc<State>,
    serving: &Arc<Serving>,
    client: &str,
    way: Way,
    request: Request<B>,
) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    if request.uri().path() == old_clients::PATH {
        return old_clients::serve(state, serving, client, way, request).await;
    }
    let (head, body) = request.into_parts();
    let site = Site {
        state,
        serving,
        granted: &serving.access.of(client),
        client,
        way,
        uri: &head.uri,
        headers: &head.headers,
    };
    if head.method != Method::POST {
        return site.session_request(&head.method).await;
    }
    if !is_json(&head.headers) {
        return Err(ProxyError::ContentType);
    }
    let accepts = Accepts::of(&head.headers);
    if !accepts.json && !accepts.events {
        return Err(ProxyError::NotAcceptable);
    }
    let limits = &serving.loaded.plan.limits;
    let limit = usize::try_from(limits.message_bytes).unwrap_or(usize::MAX);
    let body = collect(body, limit).await?;
    // Who sends slowly keeps no call of others waiting. What answers a call that is
    // under way is none itself: it must get through when all are.
    let begin = || {
        let call = state.calls.begin(limits.concurrent_calls);
        call.ok_or(ProxyError::Overloaded)
    };
    match Messages::decode(&body, MAX_DEPTH) {
        Err(malformed) => Ok(refuse(StatusCode::BAD_REQUEST, &malformed.to_error())),
        Ok(Messages::One(message)) => one(site, &message, &body, accepts, begin).await,
        // Each of its messages is of the session that the request names.
        Ok(Messages::Batch(messages)) => {
            let is_request = |message: &Message<'_>| matches!(message.kind(), Kind::Request { .. });
            let call = match messages.iter().flatten().any(is_request) {
                true => Some(begin()?),
                false => None,
            };
            match site.session() {
                Ok(Seat::At(home)) => site.hand_on(home, &head.method, &body, call).await,
                _ => batch(site, messages).await,
            }
        }
    }
}

/// Answers a request of one message.
async fn one(
    site: Site<'_>,
    message: &Message<'_>,
    body: &Bytes,
    accepts: Accepts,
    begin: impl FnOnce() -> Result<Call, ProxyError>,
) -> Result<Response<Body>, ProxyError> {
    let session = match inbound::classify(site.headers, message) {
        Ok(session) => session,
        Err(refusal) => {
            let text = message::failure(message.id(), &refusal.error);
            return Ok(reply::json(refusal.status, text));
        }
    };
    let call = match message.kind() {
        Kind::Request { .. } => Some(begin()?),
        _ => None,
    };
    let party = match site.seat_of(session, message)? {
        Seat::Here(party) => party,
        Seat::At(home) => return site.hand_on(home, &Method::POST, body, call).await,
    };
    let tally = Tally::default();
    let caller = site.caller(session, &party, &tally);
    let reply = dispatch(&caller, message, call).await;
    let mut response = respond(reply, accepts).await;
    response.body_mut().count_by(tally);
    Ok(response)
}

/// Where a request arrived, and whose it is.
#[derive(Clone, Copy)]
struct Site<'a> {
    state: &'a Arc<State>,
    serving: &'a Arc<Serving>,
    granted: &'a Granted<'a>,
    client: &'a str,
    way: Way,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

/// Where a request is served.
enum Seat<T> {
    Here(T),
    /// In the Pod that its session lives in.
    At(Home),
}

impl<'a> Site<'a> {
    /// Whose message it is, and where. A legacy client that names a session must
    /// be in it; one that names none is served where that needs no session.
    fn seat_of(&self, session: Session, message: &Message<'_>) -> Result<Seat<Party>, ProxyError> {
        if session.era() == Era::Modern {
            return Ok(Seat::Here(Party::Modern));
        }
        if message.method() == Some("initialize") {
            return Ok(Seat::Here(Party::Legacy));
        }
        Ok(match self.session()? {
            Seat::Here(live) => Seat::Here(live.map_or(Party::Legacy, Party::Session)),
            Seat::At(home) => Seat::At(home),
        })
    }

    /// As [`Site::seat_of`], for a message that is served here.
    fn party(&self, session: Session, message: &Message<'_>) -> Result<Party, ProxyError> {
        match self.seat_of(session, message)? {
            Seat::Here(party) => Ok(party),
            Seat::At(_) => Err(ProxyError::Session),
        }
    }

    /// The revision that is spoken. A session keeps the one that it began with, also
    /// where a request does not say it.
    fn speaks(&self, session: Session) -> Version {
        match self.session() {
            Ok(Seat::Here(Some(live))) if session.era() == Era::Legacy => live.version,
            _ => session.version,
        }
    }

    /// The session that the headers name.
    fn session(&self) -> Result<Seat<Option<Arc<Live>>>, ProxyError> {
        let Some(id) = self.headers.get(header::SESSION_ID) else {
            return Ok(Seat::Here(None));
        };
        let plan = &self.serving.loaded.plan;
        let owner = sessions::owner(&plan.object, self.client);
        let id = id.to_str().map_err(|_| ProxyError::Session)?;
        let sessions = &self.state.sessions;
        let token = sessions.open(&self.serving.sealer, &owner, id);
        let token = token.ok_or(ProxyError::Session)?;
        match token.home {
            Some(home) if !self.state.relays.is_here(home) => match self.way {
                Way::Direct => Ok(Seat::At(home)),
                Way::Relayed => Err(ProxyError::Session),
            },
            _ => {
                let live = sessions.find(&token, &owner, plan.limits.sessions);
                Ok(Seat::Here(Some(live)))
            }
        }
    }

    /// Has the request served where its session lives.
    async fn hand_on(
        &self,
        home: Home,
        method: &Method,
        body: &Bytes,
        call: impl Into<Option<Call>>,
    ) -> Result<Response<Body>, ProxyError> {
        let mut request = Request::new(body.clone());
        *request.method_mut() = method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let (state, serving) = (self.state, self.serving);
        pod_relay::to(state, serving, home, self.client, &request, call.into()).await
    }

    fn caller<'c>(&self, session: Session, party: &'c Party, tally: &'c Tally) -> Caller<'c>
    where
        'a: 'c,
    {
        Caller {
            serving: self.serving,
            granted: self.granted,
            client: self.client,
            state: self.state,
            party,
            tally,
            session,
            headers: self.headers,
        }
    }

    /// GET and DELETE: a legacy session's stream and its end. 2026-07-28 has
    /// neither, and without a session there is no stream.
    async fn session_request(&self, method: &Method) -> Result<Response<Body>, ProxyError> {
        match inbound::announced(self.headers) {
            Ok(Some(version)) if version.era() == Era::Modern => return Err(ProxyError::Method),
            Ok(_) => {}
            Err(refusal) => return Ok(refuse(refusal.status, &refusal.error)),
        }
        if !matches!(*method, Method::GET | Method::DELETE) {
            return Err(ProxyError::Method);
        }
        let live = match self.session()? {
            Seat::Here(live) => live.ok_or(ProxyError::Method)?,
            Seat::At(home) => return self.hand_on(home, method, &Bytes::new(), None).await,
        };
        if *method == Method::DELETE {
            let teller = Teller::of(self.state, self.serving, self.client, self.headers);
            self.serving.end_links(&live);
            self.state.sessions.end(&live);
            if let Some(teller) = teller {
                teller.tell(Word::Ended).await;
            }
            return Ok(reply::empty(StatusCode::NO_CONTENT));
        }
        if !Accepts::of(self.headers).events {
            return Err(ProxyError::NotAcceptable);
        }
        let (state, serving) = (self.state, self.serving);
        stream::open(state, serving, self.client, &live, self.headers)
    }
}

/// The answer in a form that the client takes.
async fn respond(reply: Reply, accepts: Accepts) -> Response<Body> {
    match reply {
        Reply::Stream(_) | Reply::Asking(_) | Reply::MayAsk(_) if !accepts.events => {
            match reply.whole().await {
                Some((status, text)) => reply::json(status, text),
                None => reply::empty(StatusCode::ACCEPTED),
            }
        }
        Reply::Whole { text, .. } if !accepts.json => reply::one_event(&text),
        Reply::Cancelled if !accepts.events => reply::empty(StatusCode::ACCEPTED),
        reply => reply.into_response(),
    }
}

/// 2025-03-26, Lifecycle, "Initialization": its session would have no id.
pub(super) const NOT_IN_BATCH: &str = "initialize must not be part of a batch: send it alone";

/// Each message of a batch on its own, the answers in one array
/// (2025-03-26, Base Protocol, "Batching").
async fn batch(
    site: Site<'_>,
    messages: Vec<Result<Message<'_>, agentkube_mcp::Malformed>>,
) -> Result<Response<Body>, ProxyError> {
    // A batch is counted by its worst: the last one that failed will do.
    let tally = Tally::default();
    let mut answers = Vec::new();
    for message in messages {
        let message = match message {
            Ok(message) => message,
            Err(malformed) => {
                answers.push(message::failure(None, &malformed.to_error()));
                continue;
            }
        };
        match inbound::classify(site.headers, &message) {
            Ok(session) if site.speaks(session).has_batches() => {
                if message.method() == Some("initialize") {
                    let error = ErrorObject::new(error::INVALID_REQUEST, NOT_IN_BATCH);
                    answers.push(message::failure(message.id(), &error));
                    continue;
                }
                let party = site.party(session, &message)?;
                let caller = site.caller(session, &party, &tally);
                let reply = dispatch(&caller, &message, None).await;
                answers.extend(reply.whole().await.map(|(_, text)| text));
            }
            Ok(session) => {
                let version = site.speaks(session);
                let text = format!("{version} has no batches: send one message a request");
                let error = ErrorObject::new(error::INVALID_REQUEST, text);
                return Ok(refuse(StatusCode::BAD_REQUEST, &error));
            }
            Err(refusal) => return Ok(refuse(refusal.status, &refusal.error)),
        }
    }
    if answers.is_empty() {
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    let text = format!("[{}]", answers.join(","));
    let mut response = reply::json(StatusCode::OK, text);
    response.body_mut().count_by(tally);
    Ok(response)
}

fn refuse(status: StatusCode, error: &ErrorObject) -> Response<Body> {
    reply::json(status, message::failure(None, error))
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let media = value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    media.eq_ignore_ascii_case(b"application/json")
}

/// Which forms of an answer a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepts {
    json: bool,
    events: bool,
}

impl Accepts {
    /// A client must list both; one that lists neither but takes anything, as
    /// `curl` does, gets JSON.
    fn of(headers: &HeaderMap) -> Self {
        let mut listed = headers.get_all(ACCEPT).iter().peekable();
        if listed.peek().is_none() {
            return Self {
                json: true,
                events: false,
            };
        }
        let mut accepts = Self {
            json: false,
            events: false,
        };
        for value in listed.filter_map(|value| value.to_str().ok()) {
            for range in value.split(',') {
                match range.split(';').next().unwrap_or_default().trim() {
                    "*/*" | "application/*" | "application/json" => accepts.json = true,
                    "text/event-stream" | "text/*" => accepts.events = true,
                    _ => {}
                }
            }
        }
        accepts
    }
}
