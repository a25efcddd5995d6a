//! An answer in one piece: what it cost, and whether it is one at all.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::skim::{self, NoObject};
use crate::{Dialect, Failure, FailureKind, Usage, UsageReport, classify, codec};

/// What a whole answer with a 2xx status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it cost.
    pub usage: UsageReport,
    /// Where the name of the model is, when it was come across.
    pub model: Option<Range<usize>>,
}

/// Reads the body of a 2xx answer. The bytes pass to the client as they are.
///
/// # Errors
/// When the provider reports a failure under a 2xx status, or the body is no
/// JSON object: another upstream may still be tried.
pub fn read(dialect: Dialect, body: &[u8]) -> Result<Answer, Failure> {
    codec::provider(dialect).inspect(body)
}

/// What the last bytes of a large 2xx answer say that it cost: all wires have their
/// usage behind what was said. `tail` begins anywhere.
#[must_use]
pub fn read_tail(dialect: Dialect, tail: &[u8]) -> UsageReport {
    let wire = codec::provider(dialect);
    let mut members = Vec::new();
    for name in wire.usage_members() {
        match last(tail, name) {
            None => {}
            Some(None) => return UsageReport::Unreadable,
            Some(Some(value)) => members.push(format!("\"{name}\":{}", value.get())),
        }
    }
    if members.is_empty() {
        return UsageReport::Absent;
    }
    let body = format!("{{{}}}", members.join(","));
    let answer = wire.inspect(body.as_bytes());
    answer.map_or(UsageReport::Unreadable, |answer| answer.usage)
}

/// The value of the last member of this name; `Some(None)` where it breaks off.
fn last<'a>(tail: &'a [u8], name: &str) -> Option<Option<&'a RawValue>> {
    // In a text the quotes would be escaped.
    let key = format!("\"{name}\"");
    let at = memchr::memmem::rfind(tail, key.as_bytes())?;
    let value = tail.get(at + key.len()..).unwrap_or_default();
    // A string of these letters is no key.
    let value = value.trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter();
    Some(values.next().and_then(Result::ok))
}

/// Reads an answer whose members are `error`, `model` and `usage`.
pub(crate) fn inspect(
    body: &[u8],
    usage_of: impl FnOnce(&str) -> Option<Usage>,
) -> Result<Answer, Failure> {
    let (mut error, mut model, mut usage) = (None, None, None);
    let says = |value: &[u8]| value != b"null";
    skim::members(body, |member| match member.key {
        b"error" if says(member.value) => error = Some(member.value),
        b"model" if model.is_none() => model = Some(member.at..member.at + member.value.len()),
        b"usage" if says(member.value) => usage = Some(member.value),
        _ => {}
    })
    .map_err(|NoObject| Failure::new(FailureKind::ServerError, "unreadable_answer"))?;
    if error.is_some() {
        return Err(classify::in_stream(body));
    }
    let Some(raw) = usage else {
        return Ok(Answer {
            usage: UsageReport::Absent,
            model,
        });
    };
    let usage = std::str::from_utf8(raw).ok().and_then(usage_of);
    Ok(Answer {
        usage: usage.map_or(UsageReport::Unreadable, UsageReport::Final),
        model,
    })
}

#[cfg(test)]
mod tests;
