//! What an upstream answers: a head and steps, each under the test's control.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::{Feed, Gate};

/// A scripted answer.
///
/// Every chunk is one write to the socket. The head goes out with the first
/// chunk, or at [`Reply::head`]; steps before that happen before any byte of the
/// answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    pub(crate) steps: Vec<Step>,
}

/// How the client learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length` of all chunks together.
    Length,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Head,
    Chunk(Bytes),
    Feed(Feed),
    Gate(Gate),
    Cut,
    Stall,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a three-digit status"),
            headers: HeaderMap::new(),
            framing: Framing::Length,
            steps: Vec::new(),
        }
    }

    /// A JSON document with `Content-Length`.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// A document of any type with `Content-Length`.
    #[must_use]
    pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::status(status)
            .header("content-type", content_type)
            .chunk(body)
    }

    /// An event stream, so far empty.
    #[must_use]
    pub fn sse() -> Self {
        Self::stream("text/event-stream")
    }

    /// A body of this type that comes in pieces, so far empty.
    #[must_use]
    pub fn stream(content_type: &str) -> Self {
        Self {
            framing: Framing::Chunked,
            ..Self::status(200)
        }
        .header("content-type", content_type)
    }

    /// An event stream from a transcript: each event, with the blank line that
    /// ends it, is a chunk of its own.
    #[must_use]
    pub fn transcript(text: &str) -> Self {
        text.split_inclusive("\n\n")
            .fold(Self::sse(), |reply, event| reply.chunk(event.to_owned()))
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When name or value are not legal.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header name");
        let value = HeaderValue::try_from(value).expect("a header value");
        self.headers.append(name, value);
        self
    }

    /// Sends the head now rather than with the first chunk.
    #[must_use]
    pub fn head(self) -> Self {
        self.step(Step::Head)
    }

    /// Sends these bytes. Those of an empty chunk are none.
    #[must_use]
    pub fn chunk(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Chunk(bytes.into()))
    }

    /// Waits until the gate is open.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// Goes on with what is fed, until it is cut or the client goes away.
    #[must_use]
    pub fn feed(self, feed: &Feed) -> Self {
        self.step(Step::Feed(feed.clone()))
    }

    /// Closes the connection in the middle of the answer.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// Sends nothing more and keeps the connection open until the client closes.
    #[must_use]
    pub fn stall(self) -> Self {
        self.step(Step::Stall)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The head as bytes.
    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or("Scripted");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_str()).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        let framing = match self.framing {
            Framing::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
            Framing::Length => format!("content-length: {}\r\n\r\n", self.body_length()),
        };
        head.extend_from_slice(framing.as_bytes());
        head
    }

    fn body_length(&self) -> usize {
        let lengths = self.steps.iter().map(|step| match step {
            Step::Chunk(bytes) => bytes.len(),
            Step::Head | Step::Feed(_) | Step::Gate(_) | Step::Cut | Step::Stall => 0,
        });
        lengths.sum()
    }
}
