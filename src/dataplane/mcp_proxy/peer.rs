//! What only another replica can use is passed on to it.
//!
//! It goes to the port that carries traffic there, as the client sent it, with
//! the client's key: that replica checks it like any other request.

use std::net::SocketAddr;
use std::time::Duration;

use agentkube_mcp::{ErrorObject, Message, error, header};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;
use tracing::debug;

use super::dispatch::Caller;
use super::in_session::taken;
use super::reply::Reply;

/// Set on what one replica passes on to another, which then keeps it.
const RELAYED: HeaderName = HeaderName::from_static("x-agentkube-relayed");

/// How long the other replica may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The headers that say who the client is and how it speaks.
static CARRIED: [HeaderName; 6] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    header::PROTOCOL_VERSION,
    header::SESSION_ID,
];

/// Passes a client's response on to the replica that waits for it.
pub(super) async fn pass_on(
    caller: &Caller<'_>,
    address: SocketAddr,
    message: &Message<'_>,
) -> Reply {
    if caller.headers.contains_key(RELAYED) {
        return taken(false);
    }
    let body = message.object().edit().finish();
    let request = Request::post(format!("http://{address}/mcp"))
        .header(RELAYED, "1")
        .header(CONTENT_TYPE, "application/json")
        .header(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        )
        .body(Full::new(Bytes::from(body)));
    let Ok(mut request) = request else {
        return taken(false);
    };
    for name in &CARRIED {
        if let Some(value) = caller.headers.get(name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    match timeout(PATIENCE, caller.state.peers.send(request)).await {
        Ok(Ok(response)) => taken(response.status() == StatusCode::ACCEPTED),
        failed => {
            debug!(%address, ?failed, "replica not reached");
            let text = "the replica that waits for this response cannot be reached";
            let error = ErrorObject::new(error::INTERNAL_ERROR, text);
            Reply::failure(None, StatusCode::BAD_GATEWAY, &error)
        }
    }
}
