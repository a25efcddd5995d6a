//! Errors as AWS writes them: `{"message"}`, its type in the header
//! `x-amzn-errortype`. Some SDKs look for `__type` in the body instead.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::{ApiError, ErrorKind, eventstream, json, overflow};

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    #[serde(rename = "__type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// The body of an answer.
pub(crate) fn body(error: &ApiError) -> Bytes {
    Bytes::from(json::to_line(&Body {
        message: &message(error),
        kind: Some(word(error.kind)),
    }))
}

/// The exception of a stream, of those that ConverseStream has.
pub(crate) fn stream_event(error: &ApiError) -> Bytes {
    let name = match error.kind {
        ErrorKind::BadUpstream | ErrorKind::Timeout => "modelStreamErrorException",
        ErrorKind::Internal => "internalServerException",
        ErrorKind::InvalidRequest
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ModelNotFound
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::TooLarge
        | ErrorKind::Unauthenticated => "validationException",
        ErrorKind::Quota | ErrorKind::RateLimited => "throttlingException",
        ErrorKind::Overloaded | ErrorKind::Unavailable => "serviceUnavailableException",
    };
    let message = &message(error);
    eventstream::exception(
        name,
        &json::to_line(&Body {
            message,
            kind: None,
        }),
    )
}

fn message(error: &ApiError) -> Cow<'_, str> {
    match error.code {
        Some(overflow::CODE) => overflow::in_amazons_words(&error.message),
        _ => Cow::Borrowed(&error.message),
    }
}

/// Where AWS has another status than others.
pub(crate) fn status(kind: ErrorKind) -> Option<StatusCode> {
    match kind {
        // SDKs try a 429 again, which does not help.
        ErrorKind::Quota => Some(StatusCode::BAD_REQUEST),
        ErrorKind::Timeout => Some(StatusCode::REQUEST_TIMEOUT),
        ErrorKind::Unauthenticated => Some(StatusCode::FORBIDDEN),
        ErrorKind::BadUpstream
        | ErrorKind::Internal
        | ErrorKind::InvalidRequest
        | ErrorKind::MethodNotAllowed
        | ErrorKind::ModelNotFound
        | ErrorKind::NotFound
        | ErrorKind::Overloaded
        | ErrorKind::PermissionDenied
        | ErrorKind::RateLimited
        | ErrorKind::TooLarge
        | ErrorKind::Unavailable => None,
    }
}

/// The type.
pub(crate) fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadUpstream => "ModelErrorException",
        ErrorKind::Internal => "InternalServerException",
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "ValidationException",
        ErrorKind::MethodNotAllowed | ErrorKind::NotFound => "UnknownOperationException",
        ErrorKind::ModelNotFound => "ResourceNotFoundException",
        ErrorKind::Overloaded | ErrorKind::Unavailable => "ServiceUnavailableException",
        ErrorKind::PermissionDenied => "AccessDeniedException",
        ErrorKind::Quota => "ServiceQuotaExceededException",
        ErrorKind::RateLimited => "ThrottlingException",
        ErrorKind::Timeout => "ModelTimeoutException",
        ErrorKind::Unauthenticated => "UnrecognizedClientException",
    }
}
