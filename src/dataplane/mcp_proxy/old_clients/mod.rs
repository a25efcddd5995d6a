//! Clients of the legacy HTTP+SSE transport (2024-11-05, Transports, "HTTP with
//! SSE").
//!
//! ```text
//! GET /sse → a stream: first the URL to post to, then every message for the client
//! POST /sse?session=… → 202; what there is to say to it comes on the stream
//! ```
//!
//! The stream is the session, and lives in the replica that was asked for it. The
//! URL carries its id, sealed for the client, with the Pod that it lives in: another
//! replica hands what is posted on to there. What is posted is worked on while the
//! stream is read, and ends with it.

mod drive;
mod open_streams;

use std::sync::Arc;

use agentkube_mcp::inbound::{self, Refusal};
use agentkube_mcp::seal::Purpose;
use agentkube_mcp::session::SessionToken;
use agentkube_mcp::{
    Body as Messages, Era, ErrorObject, Kind, MAX_DEPTH, Message, Version, error, message,
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;

use super::pieces::pieces_body;
use super::proxy::State;
use super::reply;
use super::route::ProxyError;
use super::service::{NOT_IN_BATCH, Way, is_json};
use super::serving::Serving;
use super::{pod_relay, sessions};
use crate::edge::{Body, collect};

pub(super) use self::open_streams::OpenStreams;
use self::open_streams::{Job, Place};

/// The path of the streams, and of what is posted to them.
pub(super) const PATH: &str = "/sse";

/// The parameter that names the stream.
const SESSION: &str = "session";

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
    let owner = sessions::owner(&serving.loaded.plan.object, client);
    match *request.method() {
        Method::GET if way == Way::Direct => open(state, serving, client, request.headers()),
        Method::POST => {
            let token = named(serving, &owner, request.uri()).ok_or(ProxyError::Stream)?;
            take(state, serving, (client, way), &token, request).await
        }
        _ => Err(ProxyError::OldMethod),
    }
}

/// The stream that a URL names; `None` when it is none of this owner's.
fn named(serving: &Serving, owner: &str, uri: &Uri) -> Option<SessionToken> {
    let pairs = uri.query()?.split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    let (_, id) = pairs.find(|(key, _)| *key == SESSION)?;
    let plain = serving.sealer.open(Purpose::Stream, owner, id)?;
    SessionToken::decode(&plain)
}

/// Opens a stream. What was sealed for it is good for as long as it is open.
fn open(
    state: &Arc<State>,
    serving: &Arc<Serving>,
    client: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, ProxyError> {
    let plan = &serving.loaded.plan;
    let owner = &sessions::owner(&plan.object, client);
    let place = Place::open(state, (client, headers), plan.limits.sessions)
        .ok_or(ProxyError::ManyStreams)?;
    let token = SessionToken {
        tag: place.tag(),
        opened: sessions::now(),
        // Nothing is agreed yet.
        version: Version::V2024_11_05,
        home: state.relays.here(),
        capabilities: String::new(),
        upstreams: Vec::new(),
    };
    let nonce = sessions::random().ok_or(ProxyError::NoPlan)?;
    let id = serving
        .sealer
        .seal(Purpose::Stream, owner, nonce, &token.encode());
    let id = id.ok_or(ProxyError::NoPlan)?;
    // From the root: there are clients that put it after the server's address.
    let endpoint = format!("event: endpoint\ndata: {PATH}?{SESSION}={id}\n\n");
    let pieces = drive::pieces(place, endpoint, state.closing.clone());
    Ok(reply::stream(Body::stream(pieces_body(pieces))))
}

/// Takes what was posted to a stream, here or where the stream is.
async fn take<B>(
    state: &Arc<State>,
    serving: &Arc<Serving>,
    (client, way): (&str, Way),
    token: &SessionToken,
    request: Request<B>,
) -> Result<Response<Body>, ProxyError>
where
    B: HttpBody<Data = Bytes>,
{
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(ProxyError::ContentType);
    }
    let limits = &serving.loaded.plan.limits;
    let limit = usize::try_from(limits.message_bytes).unwrap_or(usize::MAX);
    let body = collect(body, limit).await?;
    // What answers a call's own question is none itself: it must get through when all
    // are under way.
    let call = match has_request(&body) {
        true => {
            let call = state.calls.begin(limits.concurrent_calls);
            Some(call.ok_or(ProxyError::Overloaded)?)
        }
        false => None,
    };
    if let Some(home) = token.home.filter(|home| !state.relays.is_here(*home)) {
        if way == Way::Relayed {
            return Err(ProxyError::Stream);
        }
        let request = Request::from_parts(head, body);
        let handed = pod_relay::to(state, serving, home, client, &request, call).await;
        return handed.map_err(|error| match error {
            ProxyError::Session => ProxyError::Stream,
            other => other,
        });
    }
    let stream = state.old_streams.find(&token.tag);
    let stream = stream.ok_or(ProxyError::Stream)?;
    if let Err(Refusal { status, error }) = check(&head.headers, &body, stream.version()) {
        return Ok(reply::json(status, message::failure(None, &error)));
    }
    let call = match call {
        Some(call) => call,
        None => stream.aside()?,
    };
    let serving = Arc::clone(serving);
    stream.give(Job {
        serving,
        body,
        call,
    })?;
    Ok(reply::text(StatusCode::ACCEPTED, "Accepted"))
}

/// True for a call, or for several.
fn has_request(body: &[u8]) -> bool {
    let is_request = |message: &Message<'_>| matches!(message.kind(), Kind::Request { .. });
    match Messages::decode(body, MAX_DEPTH) {
        Ok(Messages::One(message)) => is_request(&message),
        Ok(Messages::Batch(messages)) => messages.iter().flatten().any(is_request),
        // It goes no further.
        Err(_) => false,
    }
}

/// Whether it is something that a client of this transport may say.
fn check(headers: &HeaderMap, body: &[u8], version: Version) -> Result<(), Refusal> {
    let bad = |error| Refusal {
        status: StatusCode::BAD_REQUEST,
        error,
    };
    let invalid = |text| bad(ErrorObject::new(error::INVALID_REQUEST, text));
    let messages = Messages::decode(body, MAX_DEPTH);
    let is_batch = matches!(messages, Ok(Messages::Batch(_)));
    let messages = match messages {
        Ok(Messages::One(message)) => vec![Ok(message)],
        Ok(Messages::Batch(_)) if !version.has_batches() => {
            let text = format!("{version} has no batches: send one message a request");
            return Err(invalid(text));
        }
        Ok(Messages::Batch(messages)) => messages,
        Err(malformed) => return Err(bad(malformed.to_error())),
    };
    for message in messages {
        let message = message.map_err(|malformed| bad(malformed.to_error()))?;
        if is_batch && message.method() == Some("initialize") {
            return Err(invalid(NOT_IN_BATCH.to_owned()));
        }
        let session = inbound::classify(headers, &message)?;
        if session.era() == Era::Modern {
            return Err(invalid(format!("{} is spoken at /mcp", session.version)));
        }
    }
    Ok(())
}
