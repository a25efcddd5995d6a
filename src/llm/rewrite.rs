//! The body for the upstream: the client's bytes with at most two splices.

use std::ops::Range;

use bytes::Bytes;

use crate::json;
use crate::peek::{Peeked, StreamOptions};
use crate::skim::{self, NoObject};

/// A body for the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The bytes. The client's own when nothing had to change.
    pub body: Bytes,
    /// True when usage was asked for that the client did not ask for: the
    /// chunk that brings it must be hidden from the client
    /// (`TapOptions::hide_usage`).
    pub hide_usage: bool,
}

/// Whether to ask for usage in a stream that would have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// OpenAI chat: usage comes only on request (`stream_options`).
    Ask,
    /// The dialect always sends it, or the provider refuses to be asked.
    Leave,
}

/// Makes the body for the upstream: its name for the model (none: the path has it),
/// and the wish for usage where needed. `body` is the one that was peeked.
#[must_use]
pub fn rewrite(
    body: &Bytes,
    peeked: &Peeked,
    model: Option<&str>,
    usage: StreamUsage,
) -> Rewritten {
    let asks = usage == StreamUsage::Ask && peeked.stream;
    let ask = if asks { ask_usage(peeked) } else { None };
    let hide_usage = ask.is_some();
    let name = model.and_then(|model| rename(peeked, model));
    let splices = [name, ask];
    if splices.iter().all(Option::is_none) {
        return Rewritten {
            body: body.clone(),
            hide_usage,
        };
    }
    let mut splices: Vec<Splice> = splices.into_iter().flatten().collect();
    splices.sort_by_key(|splice| splice.at.start);
    Rewritten {
        body: apply(body, &splices),
        hide_usage,
    }
}

/// The body as a wire wants it whose path names the model: without `model`, and
/// with the member that it must have. What is no object is left as it is.
#[must_use]
pub fn model_in_path(body: &Bytes, member: Option<(&str, &str)>) -> Bytes {
    members(body, member, |key| key != b"model")
}

/// The body with the member that a wire must have. What is no object is left as
/// it is.
#[must_use]
pub fn with_member(body: &Bytes, member: (&str, &str)) -> Bytes {
    members(body, Some(member), |_| true)
}

fn members(body: &Bytes, member: Option<(&str, &str)>, stays: impl Fn(&[u8]) -> bool) -> Bytes {
    let mut out = String::from("{");
    let mut add = |key: &[u8], value: &[u8]| {
        if out.len() > 1 {
            out.push(',');
        }
        // Both are parts of a text, cut at quotes and brackets.
        out.push('"');
        out.push_str(&String::from_utf8_lossy(key));
        out.push_str("\":");
        out.push_str(&String::from_utf8_lossy(value));
    };
    if let Some((key, value)) = member {
        add(key.as_bytes(), value.as_bytes());
    }
    let read = skim::members(body, |found| {
        let replaced = member.is_some_and(|(key, _)| found.key == key.as_bytes());
        if stays(found.key) && !replaced {
            add(found.key, found.value);
        }
    });
    match read {
        Ok(()) => {
            out.push('}');
            Bytes::from(out)
        }
        Err(NoObject) => body.clone(),
    }
}

struct Splice {
    at: Range<usize>,
    text: String,
}

fn rename(peeked: &Peeked, model: &str) -> Option<Splice> {
    if peeked.model.as_deref() == Some(model) {
        return None;
    }
    let name = json::to_line(&model);
    Some(match &peeked.spans.model {
        Some(span) => Splice {
            at: span.clone(),
            text: name,
        },
        None => insert(
            peeked.spans.open,
            peeked.spans.empty,
            format!("\"model\":{name}"),
        ),
    })
}

fn ask_usage(peeked: &Peeked) -> Option<Splice> {
    let spans = &peeked.spans;
    match &spans.stream_options {
        StreamOptions::Asked => None,
        StreamOptions::Absent => {
            let member = String::from("\"stream_options\":{\"include_usage\":true}");
            Some(insert(spans.open, spans.empty, member))
        }
        StreamOptions::Null(span) => {
            let text = String::from("{\"include_usage\":true}");
            Some(Splice {
                at: span.clone(),
                text,
            })
        }
        StreamOptions::Without { open, empty } => Some(insert(
            *open,
            *empty,
            String::from("\"include_usage\":true"),
        )),
        StreamOptions::Declined(span) => Some(Splice {
            at: span.clone(),
            text: String::from("true"),
        }),
    }
}

/// A new first member of an object.
fn insert(open: usize, empty: bool, mut member: String) -> Splice {
    if !empty {
        member.push(',');
    }
    Splice {
        at: open..open,
        text: member,
    }
}

fn apply(body: &[u8], splices: &[Splice]) -> Bytes {
    let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for splice in splices {
        out.extend_from_slice(body.get(from..splice.at.start).unwrap_or_default());
        out.extend_from_slice(splice.text.as_bytes());
        from = splice.at.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}

#[cfg(test)]
mod tests;
