//! An error as the client's own SDK expects to read it.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::{Dialect, codec};

/// What the gateway tells a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) param: Option<Cow<'static, str>>,
    pub(crate) code: Option<&'static str>,
    pub(crate) request_id: Option<String>,
}

/// The kinds of error that the dialects have words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 502: what the upstream did is not the client's fault.
    BadUpstream,
    /// 500: a defect of the gateway.
    Internal,
    /// 400.
    InvalidRequest,
    /// 405.
    MethodNotAllowed,
    /// 404 for a model.
    ModelNotFound,
    /// 404 for a path.
    NotFound,
    /// 503, or 529 where the dialect has it: no capacity here or upstream.
    Overloaded,
    /// 403.
    PermissionDenied,
    /// 429 that waiting does not mend.
    Quota,
    /// 429.
    RateLimited,
    /// 504: no answer in time.
    Timeout,
    /// 413.
    TooLarge,
    /// 401.
    Unauthenticated,
    /// 503: something that the gateway needs is missing.
    Unavailable,
}

impl ApiError {
    /// An error of this kind with a message that says what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            code: None,
            request_id: None,
        }
    }

    /// Names the field of the request that is to blame.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Replaces the word that the dialect has for this kind, where it has
    /// room for one (OpenAI's `code`).
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The id under which the gateway knows the request.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The kind, for metrics.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message, as the client will read it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status in this dialect.
    #[must_use]
    pub fn status(&self, dialect: Dialect) -> StatusCode {
        self.kind.status(dialect)
    }

    /// A header that names the kind, where the dialect has one.
    #[must_use]
    pub fn header(&self, dialect: Dialect) -> Option<(&'static str, &'static str)> {
        codec::client(dialect).error_header(self.kind)
    }

    /// The body, `application/json`.
    #[must_use]
    pub fn body(&self, dialect: Dialect) -> Bytes {
        codec::client(dialect).error_body(self)
    }

    /// The same as an event of a stream whose head already said 200.
    #[must_use]
    pub fn stream_event(&self, dialect: Dialect) -> Bytes {
        codec::client(dialect).error_event(self)
    }
}

impl ErrorKind {
    /// The HTTP status in this dialect.
    #[must_use]
    pub fn status(self, dialect: Dialect) -> StatusCode {
        if let Some(status) = codec::client(dialect).error_status(self) {
            return status;
        }
        match self {
            Self::BadUpstream => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ModelNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::Quota | Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests;
