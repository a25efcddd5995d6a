//! Errors as Anthropic writes them:
//! `{"type":"error","error":{"type","message"},"request_id"}`.
//! <https://docs.anthropic.com/en/api/errors>

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::{ApiError, ErrorKind, json, overflow, sse};

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    error: Inner<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Inner<'a> {
    r#type: &'static str,
    message: &'a str,
}

/// The status of `overloaded_error`, which is not a registered one.
pub(crate) fn overloaded() -> StatusCode {
    StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// The body of an answer.
pub(crate) fn body(error: &ApiError) -> Bytes {
    Bytes::from(text(error))
}

/// The event of a stream: the SDKs raise on its name.
pub(crate) fn stream_event(error: &ApiError) -> Bytes {
    sse::event(Some("error"), &text(error))
}

fn text(error: &ApiError) -> String {
    let message = match error.code {
        Some(overflow::CODE) => overflow::in_anthropics_words(&error.message),
        _ => Cow::Borrowed(error.message.as_str()),
    };
    json::to_line(&Body {
        r#type: "error",
        error: Inner {
            r#type: word(error.kind),
            message: &message,
        },
        request_id: error.request_id.as_deref(),
    })
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadUpstream | ErrorKind::Internal | ErrorKind::Unavailable => "api_error",
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed => "invalid_request_error",
        ErrorKind::ModelNotFound | ErrorKind::NotFound => "not_found_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::PermissionDenied => "permission_error",
        ErrorKind::Quota | ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::Unauthenticated => "authentication_error",
    }
}
