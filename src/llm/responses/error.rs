//! Errors within a stream: the event `error`, and `response.failed` for an answer
//! that had begun.

use bytes::Bytes;
use serde::Serialize;

use crate::openai::error_words;
use crate::{ApiError, ErrorKind, json, overflow, sse};

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

/// `error` of a response that failed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failed<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

/// The event for a stream of which nothing else is known.
pub(super) fn stream_event(error: &ApiError) -> Bytes {
    let (kind, code) = error_words(error.kind);
    let line = json::to_line(&Event {
        r#type: "error",
        code: error.code.or(code).or(Some(kind)),
        message: &error.message,
        param: error.param.as_deref(),
        sequence_number: 0,
    });
    sse::event(Some("error"), &line)
}

impl<'a> Failed<'a> {
    /// Those of the codes about which clients know what to do.
    pub(super) fn of(error: &'a ApiError) -> Self {
        let code = match error.kind {
            ErrorKind::InvalidRequest if error.code == Some(overflow::CODE) => overflow::CODE,
            // Else they would try again, which does not help.
            ErrorKind::Quota => "insufficient_quota",
            ErrorKind::InvalidRequest | ErrorKind::TooLarge => "invalid_prompt",
            ErrorKind::RateLimited => "rate_limit_exceeded",
            ErrorKind::BadUpstream
            | ErrorKind::Internal
            | ErrorKind::MethodNotAllowed
            | ErrorKind::ModelNotFound
            | ErrorKind::NotFound
            | ErrorKind::Overloaded
            | ErrorKind::PermissionDenied
            | ErrorKind::Timeout
            | ErrorKind::Unauthenticated
            | ErrorKind::Unavailable => "server_error",
        };
        Self {
            code,
            message: &error.message,
        }
    }
}
