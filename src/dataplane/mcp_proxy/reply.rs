//! Answers to a client: nothing, one JSON document, or a stream of events.

use std::pin::Pin;

use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use agentkube_mcp::{ErrorObject, Id, error, header, message, sse};

use super::fulfil::MayAsk;
use super::pieces::{Piece, pieces_body};
use super::relay::Relay;
use super::untold::{Telling, Untold};
use crate::edge::Body;

/// The answer to one message.
pub(super) enum Reply {
    /// A notification or a response was taken: 202.
    Accepted,
    /// One message.
    Whole {
        /// HTTP status of a modern client's answer.
        status: StatusCode,
        /// The message.
        text: String,
    },
    /// The answer to `initialize`, with the id of the session.
    Opened {
        /// The message.
        text: String,
        /// The id.
        session: HeaderValue,
        /// Ends it, should the client not take this.
        untold: Untold,
    },
    /// The client cancelled its request: no answer comes.
    Cancelled,
    /// Notifications, then the answer.
    Stream(Box<Relay>),
    /// Events that are made while they are read.
    Asking(Pin<Box<dyn Stream<Item = Piece> + Send>>),
    /// An answer that may need input of the client first.
    MayAsk(Box<MayAsk>),
}

impl Reply {
    /// A successful answer. `result` is JSON text.
    pub(super) fn result(id: &Id<'_>, result: &str) -> Self {
        Self::Whole {
            status: StatusCode::OK,
            text: message::result(id, result),
        }
    }

    /// A failed answer under a status.
    pub(super) fn failure(id: Option<&Id<'_>>, status: StatusCode, error: &ErrorObject) -> Self {
        Self::Whole {
            status,
            text: message::failure(id, error),
        }
    }

    /// The same answer, with the session that it opens.
    pub(super) fn opening(self, session: HeaderValue, untold: Untold) -> Self {
        match self {
            Self::Whole { text, .. } => Self::Opened {
                text,
                session,
                untold,
            },
            other => other,
        }
    }

    /// The final answer alone, for a batch or for a client that takes no stream.
    pub(super) async fn whole(self) -> Option<(StatusCode, String)> {
        match self {
            Self::Accepted | Self::Cancelled => None,
            Self::Opened { text, untold, .. } => {
                untold.told();
                Some((StatusCode::OK, text))
            }
            Self::Whole { status, text } => Some((status, text)),
            Self::Stream(relay) => relay.last().await,
            Self::MayAsk(answer) => answer.whole().await,
            // What has no end has no answer either.
            Self::Asking(_) => {
                let text = "this is a stream: accept text/event-stream";
                let error = ErrorObject::new(error::INVALID_REQUEST, text);
                Some((StatusCode::OK, message::failure(None, &error)))
            }
        }
    }

    /// The answer as HTTP.
    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Self::Accepted => empty(StatusCode::ACCEPTED),
            Self::Cancelled => stream(Body::empty()),
            Self::Opened {
                text,
                session,
                untold,
            } => {
                let mut response = json(StatusCode::OK, String::new());
                *response.body_mut() = Body::stream(Telling::new(text, untold));
                let headers = response.headers_mut();
                headers.insert(header::SESSION_ID, session);
                response
            }
            Self::Whole { status, text } => json(status, text),
            Self::Stream(relay) => stream(Body::stream(relay.into_body())),
            Self::Asking(pieces) => stream(Body::stream(pieces_body(pieces))),
            Self::MayAsk(answer) => stream(Body::stream(pieces_body(answer.pieces()))),
        }
    }
}

/// A JSON document.
pub(super) fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A plain text.
pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A message as a stream of one event.
pub(super) fn one_event(message: &str) -> Response<Body> {
    stream(Body::full(sse::frame(message)))
}

pub(super) fn stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // 2026-07-28, Streamable HTTP: keeps reverse proxies from holding events back.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}
