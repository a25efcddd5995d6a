//! Errors as OpenAI writes them: `{"error":{message,type,param,code}}`.
//! <https://platform.openai.com/docs/guides/error-codes>

use bytes::Bytes;
use serde::Serialize;

use crate::{ApiError, ErrorKind, json, sse};

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The body of an answer.
pub(crate) fn body(error: &ApiError) -> Bytes {
    Bytes::from(text(error))
}

/// The event of a stream: the SDKs raise when `data` has an `error`.
pub(crate) fn stream_event(error: &ApiError) -> Bytes {
    sse::event(None, &text(error))
}

fn text(error: &ApiError) -> String {
    let (r#type, code) = words(error.kind);
    json::to_line(&Body {
        error: Inner {
            message: &error.message,
            r#type,
            param: error.param.as_deref(),
            code: error.code.or(code),
            request_id: error.request_id.as_deref(),
        },
    })
}

/// `type` and `code` for a kind.
pub(crate) fn words(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    match kind {
        ErrorKind::BadUpstream => ("server_error", Some("bad_upstream")),
        ErrorKind::Internal => ("server_error", None),
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed | ErrorKind::NotFound => {
            ("invalid_request_error", None)
        }
        ErrorKind::ModelNotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorKind::Overloaded => ("server_error", Some("server_is_overloaded")),
        ErrorKind::PermissionDenied => ("invalid_request_error", Some("permission_denied")),
        ErrorKind::Quota => ("insufficient_quota", Some("insufficient_quota")),
        ErrorKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Timeout => ("server_error", Some("timeout")),
        ErrorKind::TooLarge => ("invalid_request_error", Some("request_too_large")),
        ErrorKind::Unauthenticated => ("invalid_request_error", Some("invalid_api_key")),
        ErrorKind::Unavailable => ("server_error", Some("service_unavailable")),
    }
}
