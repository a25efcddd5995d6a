//! The JSON-RPC envelope, over the text it came in.
//!
//! Only `jsonrpc`, `id`, `method` and which of `params`, `result`, `error` is
//! there are read. A message is passed on by splicing its own text, so members
//! that nobody here knows reach the other side.

use std::borrow::Cow;
use std::fmt;

use crate::error::{self, ErrorObject};
use crate::json::{self, Ambiguous, JsonError, Object};

const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Most messages in one batch.
pub const MAX_BATCH: usize = 100;

/// The id of a request: a string or an integer, as it was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id<'a>(Cow<'a, str>);

impl<'a> Id<'a> {
    /// An id from its JSON text; `None` when it is no string and no integer.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (integer || text.starts_with('"')).then_some(Self(Cow::Borrowed(text)))
    }

    /// The id as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The id without a tie to the text it came from.
    #[must_use]
    pub fn into_owned(self) -> Id<'static> {
        Id(Cow::Owned(self.0.into_owned()))
    }

    /// True when both ids mean the same, whatever the spelling.
    #[must_use]
    pub fn is(&self, other: &Id<'_>) -> bool {
        self.0 == other.0
            || matches!((json::string(&self.0), json::string(&other.0)), (Some(a), Some(b)) if a == b)
    }
}

impl From<u64> for Id<'static> {
    fn from(number: u64) -> Self {
        Self(Cow::Owned(number.to_string()))
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Wants an answer.
    Request {
        /// Its id.
        id: Id<'a>,
        /// Its method.
        method: Cow<'a, str>,
    },
    /// Wants none.
    Notification {
        /// Its method.
        method: Cow<'a, str>,
    },
    /// A successful answer.
    Result {
        /// The id of the request.
        id: Id<'a>,
        /// The value, as text.
        result: &'a str,
    },
    /// A failed answer.
    Error {
        /// The id of the request, when the other side could read it.
        id: Option<Id<'a>>,
        /// The error object, as text.
        error: &'a str,
    },
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Two members that a reader could take for each other.
    #[error(transparent)]
    Ambiguous(#[from] Ambiguous),
    /// A batch without messages.
    #[error("a batch needs at least one message")]
    EmptyBatch,
    /// An id that is neither string nor integer.
    #[error("\"id\" must be a string or an integer")]
    Id,
    /// Not JSON, or too deep.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Neither request nor notification nor response.
    #[error("a message needs a \"method\", a \"result\" or an \"error\"")]
    Kind,
    /// More messages than a batch may hold.
    #[error("a batch holds at most {MAX_BATCH} messages")]
    LongBatch,
    /// A method that is no string.
    #[error("\"method\" must be a string")]
    Method,
    /// Something else than an object.
    #[error("a message must be a JSON object")]
    NotAnObject,
    /// Parameters that are no object.
    #[error("\"params\" must be an object")]
    Params,
    /// Bytes that are no text.
    #[error("not UTF-8")]
    Utf8,
    /// Not JSON-RPC 2.0.
    #[error("\"jsonrpc\" must be \"2.0\"")]
    Version,
}

impl Malformed {
    /// The error that answers it.
    #[must_use]
    pub fn to_error(&self) -> ErrorObject {
        let code = match self {
            Self::Utf8 | Self::Json(JsonError::Syntax(_)) => error::PARSE_ERROR,
            _ => error::INVALID_REQUEST,
        };
        ErrorObject::new(code, self.to_string())
    }
}

/// One message over its text.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    kind: Kind<'a>,
    params: Option<Object<'a>>,
    object: Object<'a>,
}

impl<'a> Message<'a> {
    /// Reads a message from text that [`json::check`] let through.
    ///
    /// # Errors
    /// [`Malformed`] says which rule of JSON-RPC 2.0 or of the protocol fails.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let object = Object::parse(text).ok_or(Malformed::NotAnObject)?;
        object.distinct(ENVELOPE)?;
        if object.text("jsonrpc").as_deref() != Some("2.0") {
            return Err(Malformed::Version);
        }
        let params = match object.value("params") {
            Some(params) => Some(Object::parse(params).ok_or(Malformed::Params)?),
            None => None,
        };
        let id = match object.value("id") {
            None => None,
            // JSON-RPC 2.0 answers with a null id what it could not read.
            Some("null") if object.value("error").is_some() => None,
            Some(id) => Some(Id::parse(id).ok_or(Malformed::Id)?),
        };
        let kind = match (
            object.value("method"),
            object.value("result"),
            object.value("error"),
        ) {
            (Some(method), None, None) => {
                let method = json::string(method).ok_or(Malformed::Method)?;
                match id {
                    Some(id) => Kind::Request { id, method },
                    None => Kind::Notification { method },
                }
            }
            (None, Some(result), None) => Kind::Result {
                id: id.ok_or(Malformed::Id)?,
                result,
            },
            (None, None, Some(error)) => Kind::Error { id, error },
            _ => return Err(Malformed::Kind),
        };
        Ok(Self {
            kind,
            params,
            object,
        })
    }

    /// Checks and reads a single message from bytes.
    ///
    /// # Errors
    /// As [`Message::parse`], and [`Malformed::Json`] or [`Malformed::Utf8`].
    pub fn decode(bytes: &'a [u8], max_depth: usize) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)?;
        json::check(text, max_depth)?;
        Self::parse(text)
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &Kind<'a> {
        &self.kind
    }

    /// The method of a request or a notification.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Result { .. } | Kind::Error { .. } => None,
        }
    }

    /// The id, whatever it is.
    #[must_use]
    pub fn id(&self) -> Option<&Id<'a>> {
        match &self.kind {
            Kind::Request { id, .. } | Kind::Result { id, .. } => Some(id),
            Kind::Error { id, .. } => id.as_ref(),
            Kind::Notification { .. } => None,
        }
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> Option<&Object<'a>> {
        self.params.as_ref()
    }

    /// A string among the parameters.
    #[must_use]
    pub fn param(&self, key: &str) -> Option<Cow<'a, str>> {
        self.params.as_ref()?.text(key)
    }

    /// `params._meta`.
    #[must_use]
    pub fn meta(&self) -> Option<Object<'a>> {
        self.params.as_ref()?.object("_meta")
    }

    /// The envelope, for splicing.
    #[must_use]
    pub fn object(&self) -> &Object<'a> {
        &self.object
    }

    /// The same message under another id.
    #[must_use]
    pub fn with_id(&self, id: &Id<'_>) -> String {
        self.object.edit().set("id", id.as_json()).finish()
    }
}

/// A body: one message, or a batch (2025-03-26 only).
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// One message.
    One(Message<'a>),
    /// An array of messages, each read on its own.
    Batch(Vec<Result<Message<'a>, Malformed>>),
}

impl<'a> Body<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`] when the body as a whole is unreadable.
    pub fn decode(bytes: &'a [u8], max_depth: usize) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)?;
        json::check(text, max_depth)?;
        let Some(items) = json::array(text) else {
            return Message::parse(text).map(Self::One);
        };
        match items.len() {
            0 => Err(Malformed::EmptyBatch),
            1..=MAX_BATCH => Ok(Self::Batch(items.into_iter().map(Message::parse).collect())),
            _ => Err(Malformed::LongBatch),
        }
    }
}

/// A request of our own. `params` is JSON text.
#[must_use]
pub fn request(id: &Id<'_>, method: &str, params: &str) -> String {
    let method = json::quote(method);
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method},\"params\":{params}}}")
}

/// A notification of our own. `params` is JSON text.
#[must_use]
pub fn notification(method: &str, params: Option<&str>) -> String {
    let method = json::quote(method);
    match params {
        Some(params) => format!("{{\"jsonrpc\":\"2.0\",\"method\":{method},\"params\":{params}}}"),
        None => format!("{{\"jsonrpc\":\"2.0\",\"method\":{method}}}"),
    }
}

/// A successful answer. `result` is JSON text.
#[must_use]
pub fn result(id: &Id<'_>, result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}")
}

/// A failed answer; without an id when the request's could not be read.
#[must_use]
pub fn failure(id: Option<&Id<'_>>, error: &ErrorObject) -> String {
    let id = id.map_or("null", Id::as_json);
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{}}}",
        error.to_json()
    )
}

#[cfg(test)]
mod tests;
