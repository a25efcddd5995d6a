//! Writes frames.

use bytes::Bytes;
use crc32fast::hash as crc32;

use super::{PRELUDE, TRAILER};

/// The type of a header that is text.
const TEXT: u8 = 7;

/// A frame that carries an event of this type; the payload is JSON.
#[must_use]
pub fn event(name: &str, payload: &str) -> Bytes {
    let mut out = Vec::new();
    write_event(name, payload, &mut out);
    Bytes::from(out)
}

/// A frame that carries an exception of this type; the payload is JSON.
#[must_use]
pub fn exception(name: &str, payload: &str) -> Bytes {
    let mut out = Vec::new();
    write_exception(name, payload, &mut out);
    Bytes::from(out)
}

/// The same, behind what was written already.
pub(crate) fn write_event(name: &str, payload: &str, out: &mut Vec<u8>) {
    write(":event-type", name, "event", payload, out);
}

/// The same, behind what was written already.
pub(crate) fn write_exception(name: &str, payload: &str, out: &mut Vec<u8>) {
    write(":exception-type", name, "exception", payload, out);
}

fn write(kind: &str, name: &str, message: &str, payload: &str, out: &mut Vec<u8>) {
    let headers = [
        (kind, name),
        (":content-type", "application/json"),
        (":message-type", message),
    ];
    let lengths = headers.map(|(name, value)| 1 + name.len() + 1 + 2 + value.len());
    let headers_len: usize = lengths.iter().sum();
    let total = PRELUDE + headers_len + payload.len() + TRAILER;
    let start = out.len();
    out.reserve(total);
    // An event is bounded long before its length would not fit.
    for len in [total, headers_len] {
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
    sum(start, out);
    for (name, value) in headers {
        // Names and values are our own words.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
        out.push(TEXT);
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(payload.as_bytes());
    sum(start, out);
}

/// The checksum of everything since `start`.
fn sum(start: usize, out: &mut Vec<u8>) {
    let sum = crc32(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}
