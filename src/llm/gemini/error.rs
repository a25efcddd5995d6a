//! Errors as Google writes them: `{"error":{code,message,status,details}}`.
//! <https://cloud.google.com/apis/design/errors>

use bytes::Bytes;
use serde::Serialize;

use crate::{ApiError, Dialect, ErrorKind, json, sse};

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    /// A number always: the SDK compares it.
    code: u16,
    message: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'a> {
    #[serde(
        rename = "type.googleapis.com/google.rpc.BadRequest",
        rename_all = "camelCase"
    )]
    BadRequest {
        field_violations: [Violation<'a>; 1],
    },
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo {
        reason: &'a str,
        domain: &'static str,
    },
    #[serde(
        rename = "type.googleapis.com/google.rpc.RequestInfo",
        rename_all = "camelCase"
    )]
    RequestInfo { request_id: &'a str },
}

#[derive(Serialize)]
struct Violation<'a> {
    field: &'a str,
    description: &'a str,
}

/// The body of an answer.
pub(super) fn body(error: &ApiError) -> Bytes {
    Bytes::from(text(error))
}

/// The event of a stream: the SDK raises when `data` has an `error`.
pub(super) fn stream_event(error: &ApiError) -> Bytes {
    sse::event(None, &text(error))
}

fn text(error: &ApiError) -> String {
    let mut details = Vec::new();
    if let Some(field) = error.param.as_deref() {
        details.push(Detail::BadRequest {
            field_violations: [Violation {
                field,
                description: &error.message,
            }],
        });
    }
    if let Some(reason) = error.code {
        details.push(Detail::ErrorInfo {
            reason,
            domain: "agentkube.io",
        });
    }
    if let Some(request_id) = error.request_id.as_deref() {
        details.push(Detail::RequestInfo { request_id });
    }
    json::to_line(&Body {
        error: Inner {
            code: error.status(Dialect::Gemini).as_u16(),
            message: &error.message,
            status: word(error.kind),
            details,
        },
    })
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadUpstream | ErrorKind::Internal => "INTERNAL",
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "INVALID_ARGUMENT",
        ErrorKind::MethodNotAllowed => "UNIMPLEMENTED",
        ErrorKind::ModelNotFound | ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::Overloaded | ErrorKind::Unavailable => "UNAVAILABLE",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::Quota | ErrorKind::RateLimited => "RESOURCE_EXHAUSTED",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
        ErrorKind::Unauthenticated => "UNAUTHENTICATED",
    }
}
