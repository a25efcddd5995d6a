//! Errors as Ollama writes them: `{"error":"…"}`, in a stream as a line of its own.

use bytes::Bytes;
use serde::Serialize;

use crate::{ApiError, json};

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

/// The body of an answer.
pub(super) fn body(error: &ApiError) -> Bytes {
    Bytes::from(text(error))
}

/// The line of a stream: clients raise when a line has an `error`.
pub(super) fn stream_event(error: &ApiError) -> Bytes {
    Bytes::from(text(error) + "\n")
}

fn text(error: &ApiError) -> String {
    json::to_line(&Body {
        error: &error.message,
    })
}
