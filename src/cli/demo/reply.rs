//! Replies of the demo: whole JSON documents and paced event streams.

use std::convert::Infallible;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::Value;

/// What every handler of the demo answers.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Slow enough to be seen as a stream, fast enough not to bore.
const PACE: Duration = Duration::from_millis(30);

/// A JSON document.
pub(super) fn json(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Response::new(Full::from(body.to_string()).boxed_unsync());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A status and nothing else.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default().boxed_unsync());
    *reply.status_mut() = status;
    reply
}

/// Server-sent events, each sent on its own and a moment after the last.
pub(super) fn events(events: Vec<String>) -> Reply {
    let mut clock = tokio::time::interval(PACE);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let paced = stream::unfold(
        (events.into_iter(), clock),
        |(mut events, mut clock)| async {
            let event = events.next()?;
            clock.tick().await;
            Some((event, (events, clock)))
        },
    );
    let frames = paced.map(|event| Ok(Frame::data(Bytes::from(event))));
    let mut reply = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
