//! The client's side of a dialect: its requests are read, answers are written.

use bytes::Bytes;
use http::StatusCode;

use crate::ir::{At, ChatRequest, ChatResponse, Echo, Event, Field, Namespaces};
use crate::{ApiError, ErrorKind, UsageReport};

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbound<'a> {
    /// The body.
    pub(crate) body: &'a [u8],
    /// Whether it asks for a stream, in dialects whose path says it.
    pub(crate) stream: Option<bool>,
}

/// What the writers of an answer must know of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The model that serves, as the client shall read it.
    pub(crate) model: String,
    /// The upstream's name of it.
    pub(crate) upstream_model: String,
    /// Seconds since 1970, where the provider does not say when.
    pub(crate) created: u64,
    /// An id, where the provider gives none.
    pub(crate) id: String,
    /// The client asked for usage in the stream, or its dialect always has it.
    pub(crate) include_usage: bool,
    /// How many choices were asked for.
    pub(crate) choices: u32,
    /// The tools whose names were flattened.
    pub(crate) namespaces: Namespaces,
    /// What the dialect repeats of the request.
    pub(crate) echo: Echo,
}

/// The names of the IR's fields in a dialect.
pub(crate) trait Names {
    /// The path of a place, as the client wrote it: `messages[2].content[0]`.
    fn place(&self, at: At) -> String;

    /// The name of a field from its place: `image_url.detail`. Empty for
    /// `Field::Whole`.
    fn name(&self, field: Field) -> &'static str;

    /// The path of a field at a place.
    fn path(&self, at: At, field: Field) -> String {
        let (mut path, name) = (self.place(at), self.name(field));
        if !path.is_empty() && !name.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        path
    }
}

/// A dialect, as the gateway serves it.
pub(crate) trait ClientWire: Names + Sync {
    /// Reads a request. Nothing is dropped.
    ///
    /// # Errors
    /// A 400 that names the field, never quoting its value.
    fn read_request(&self, inbound: Inbound<'_>) -> Result<ChatRequest, ApiError>;

    /// Writes an answer in one piece.
    fn write_answer(&self, response: &ChatResponse, reply: &Reply) -> Bytes;

    /// A writer for one streamed answer.
    fn writer(&self, reply: &Reply) -> Box<dyn EventWriter>;

    /// The content type of a streamed answer.
    fn stream_content_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// An error as the body of an answer.
    fn error_body(&self, error: &ApiError) -> Bytes;

    /// The same within a stream whose head already said 200.
    fn error_event(&self, error: &ApiError) -> Bytes;

    /// The status of an error, where the dialect has one of its own.
    fn error_status(&self, _kind: ErrorKind) -> Option<StatusCode> {
        None
    }

    /// A header that names the kind of an error, where the dialect has one.
    fn error_header(&self, _kind: ErrorKind) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What the client of this dialect sends back of what it was told. The rest
    /// is sealed into the ids of tool calls.
    fn replays(&self) -> Replays;
}

/// What a client of a dialect sends back with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replays {
    /// Thoughts with their signatures.
    pub(crate) thinking: bool,
    /// The signatures of tool calls.
    pub(crate) call_signatures: bool,
}

/// What a client cannot be told, whatever is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwritable;

/// Writes the events of one streamed answer for a client.
///
/// # Guarantees
/// - What `event` writes is whole in the client's framing: an error can follow at
///   any time.
/// - Only `finish` writes a terminator.
pub(crate) trait EventWriter: Send {
    /// Writes what the client can be told by now. `usage` is what is known so far.
    ///
    /// # Errors
    /// When a part of the answer would be lost: the stream has then failed.
    fn event(
        &mut self,
        event: Event,
        usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable>;

    /// The answer is complete: writes what was held back, usage, the terminator.
    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>);

    /// How much it keeps of what it was told: bytes.
    fn held(&self) -> usize;

    /// The answer failed: the event that says so, where the dialect speaks of what
    /// was written before; none: `ClientWire::error_event`.
    fn fail(&mut self, _error: &ApiError, _usage: UsageReport) -> Option<Bytes> {
        None
    }
}
