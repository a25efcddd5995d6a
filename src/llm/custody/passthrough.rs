//! The bypass: bodies whose bytes would pass, but for what we put into them.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde_json::Value;

use super::{MARK, seal};
use crate::json;

static SEALED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"ak"));
static MARKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"agentkube."));

/// Replaces sealed ids of tool calls by the provider's own. None when there are
/// none, which a search over the bytes finds out.
///
/// For requests that reach an upstream of the client's own dialect, in which an
/// earlier turn was answered by another one.
#[must_use]
pub fn unwrap_ids(body: &Bytes) -> Option<Bytes> {
    let mut out: Option<Vec<u8>> = None;
    let mut from = 0;
    for at in SEALED.find_iter(body) {
        // Behind a backslash the quote is a part of some text, not the beginning of one.
        let escaped = at.checked_sub(1).and_then(|at| body.get(at)) == Some(&b'\\');
        if at < from || escaped {
            continue;
        }
        let rest = body.get(at + 1..).unwrap_or_default();
        let Some(len) = memchr::memchr(b'"', rest) else {
            break;
        };
        let token = rest
            .get(..len)
            .and_then(|token| std::str::from_utf8(token).ok());
        let Some(id) = token.and_then(seal::inner_id) else {
            continue;
        };
        let out = out.get_or_insert_with(|| Vec::with_capacity(body.len()));
        out.extend_from_slice(body.get(from..at).unwrap_or_default());
        out.extend_from_slice(json::to_line(&id).as_bytes());
        from = at + len + 2;
    }
    let mut out = out?;
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Some(Bytes::from(out))
}

/// Takes thoughts out of a request in Anthropic's dialect or Bedrock's that a
/// provider without signatures had, and that these would refuse. None when there are
/// none.
#[must_use]
pub fn strip_marked(body: &Bytes) -> Option<Bytes> {
    MARKED.find(body)?;
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let mut found = false;
    for message in request.get_mut("messages")?.as_array_mut()? {
        if let Some(content) = message.get_mut("content").and_then(Value::as_array_mut) {
            let before = content.len();
            content.retain(|block| !is_marked(block));
            found |= content.len() < before;
        }
    }
    if !found {
        return None;
    }
    // A turn that only thought says nothing any more.
    if let Some(messages) = request.get_mut("messages").and_then(Value::as_array_mut) {
        let says = |message: &Value| {
            message
                .get("content")
                .and_then(Value::as_array)
                .is_none_or(|content| !content.is_empty())
        };
        messages.retain(says);
    }
    serde_json::to_vec(&request).ok().map(Bytes::from)
}

/// Takes reasoning items out of a Responses request that another provider had, and
/// that OpenAI could not decrypt. None when there are none.
#[must_use]
pub fn strip_sealed(body: &Bytes) -> Option<Bytes> {
    MARKED.find(body)?;
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let input = request.get_mut("input")?.as_array_mut()?;
    let before = input.len();
    input.retain(|item| !is_sealed(item));
    if input.len() == before {
        return None;
    }
    serde_json::to_vec(&request).ok().map(Bytes::from)
}

fn is_sealed(item: &Value) -> bool {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    text("type") == Some("reasoning")
        && text("encrypted_content").is_some_and(|content| content.starts_with(MARK))
}

fn is_marked(block: &Value) -> bool {
    let thought = block
        .pointer("/reasoningContent/reasoningText")
        .unwrap_or(block);
    let signature = thought.get("signature").and_then(Value::as_str);
    signature.is_some_and(|signature| signature.starts_with(MARK))
}
