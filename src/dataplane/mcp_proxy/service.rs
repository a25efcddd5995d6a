//! From an HTTP request to messages, and from their answers to a response.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower::Service;

use agentkube_mcp::inbound::{self, Session};
use agentkube_mcp::{Body as Messages, ErrorObject, Granted, MAX_DEPTH, Message, error, message};

use super::calls::Calls;
use super::dispatch::{Caller, dispatch};
use super::proxy::State;
use super::reply::{self, Reply};
use super::route::{ProxyError, Route};
use super::serving::Serving;
use crate::edge::{Body, Routed, collect};

/// The proxy's own service, inside the shared layers.
#[derive(Clone)]
pub struct ProxyService {
    state: Arc<State>,
    calls: Calls,
}

impl ProxyService {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self {
            state,
            calls: Calls::default(),
        }
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
            Route::Unknown => Box::pin(ready(Err(ProxyError::NotFound))),
            Route::Mcp => {
                let serving = self.state.serving();
                Box::pin(answer(serving, self.calls.clone(), routed.request))
            }
        }
    }
}

async fn answer<B>(
    serving: Option<Arc<Serving>>,
    calls: Calls,
    request: Request<B>,
) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    let serving = serving.ok_or(ProxyError::NoPlan)?;
    serving.guard.check(&request)?;
    let client = serving.loaded.clients.authenticate(request.headers())?;
    if request.method() != Method::POST {
        return Err(ProxyError::Method);
    }
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(ProxyError::ContentType);
    }
    let accepts = Accepts::of(&head.headers);
    if !accepts.json && !accepts.events {
        return Err(ProxyError::NotAcceptable);
    }
    let limits = &serving.loaded.plan.limits;
    let call = calls
        .begin(limits.concurrent_calls)
        .ok_or(ProxyError::Overloaded)?;
    let granted = serving.access.of(client.name());
    let limit = usize::try_from(limits.message_bytes).unwrap_or(usize::MAX);
    let body = collect(body, limit).await?;
    match Messages::decode(&body, MAX_DEPTH) {
        Err(malformed) => Ok(refuse(StatusCode::BAD_REQUEST, &malformed.to_error())),
        Ok(Messages::One(message)) => {
            let session = match inbound::classify(&head.headers, &message) {
                Ok(session) => session,
                Err(refusal) => {
                    let text = message::failure(message.id(), &refusal.error);
                    return Ok(reply::json(refusal.status, text));
                }
            };
            let caller = Caller {
                serving: &serving,
                granted: &granted,
                session,
                headers: &head.headers,
            };
            let reply = dispatch(&caller, &message, Some(call)).await;
            Ok(respond(reply, accepts).await)
        }
        Ok(Messages::Batch(messages)) => {
            Ok(batch(&serving, &granted, &head.headers, messages).await)
        }
    }
}

/// The answer in a form that the client takes.
async fn respond(reply: Reply, accepts: Accepts) -> Response<Body> {
    match reply {
        Reply::Stream(_) if !accepts.events => match reply.whole().await {
            Some((status, text)) => reply::json(status, text),
            None => reply::empty(StatusCode::ACCEPTED),
        },
        Reply::Whole { text, .. } if !accepts.json => reply::one_event(&text),
        reply => reply.into_response(),
    }
}

/// Each message of a batch on its own, the answers in one array
/// (2025-03-26, Base Protocol, "Batching").
async fn batch(
    serving: &Arc<Serving>,
    granted: &Granted<'_>,
    headers: &HeaderMap,
    messages: Vec<Result<Message<'_>, agentkube_mcp::Malformed>>,
) -> Response<Body> {
    let mut answers = Vec::new();
    for message in messages {
        let message = match message {
            Ok(message) => message,
            Err(malformed) => {
                answers.push(message::failure(None, &malformed.to_error()));
                continue;
            }
        };
        match inbound::classify(headers, &message) {
            Ok(session) if session.version.has_batches() => {
                let caller = Caller {
                    serving,
                    granted,
                    session,
                    headers,
                };
                let reply = dispatch(&caller, &message, None).await;
                answers.extend(reply.whole().await.map(|(_, text)| text));
            }
            Ok(Session { version }) => {
                let text = format!("{version} has no batches: send one message a request");
                let error = ErrorObject::new(error::INVALID_REQUEST, text);
                return refuse(StatusCode::BAD_REQUEST, &error);
            }
            Err(refusal) => return refuse(refusal.status, &refusal.error),
        }
    }
    if answers.is_empty() {
        return reply::empty(StatusCode::ACCEPTED);
    }
    reply::json(StatusCode::OK, format!("[{}]", answers.join(",")))
}

fn refuse(status: StatusCode, error: &ErrorObject) -> Response<Body> {
    reply::json(status, message::failure(None, error))
}

fn is_json(headers: &HeaderMap) -> bool {
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
