//! The headers of streamable HTTP, and the encoding of their values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The revision that a request follows.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The method of a modern request.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The tool, prompt or resource that a modern request names.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// The session of a legacy request.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The last event that a reader of a stream saw.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Before the name of a mirrored tool argument.
pub const PARAM_PREFIX: &str = "mcp-param-";

const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// A value as a header carries it: plain where every reader would get it back
/// unchanged, else in the Base64 sentinel (2026-07-28, Streamable HTTP).
#[must_use]
pub fn encode(value: &str) -> HeaderValue {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && value.trim() == value
        && !(value.starts_with(SENTINEL.0) && value.ends_with(SENTINEL.1));
    let encoded = || format!("{}{}{}", SENTINEL.0, STANDARD.encode(value), SENTINEL.1);
    let text = if plain { value.to_owned() } else { encoded() };
    // Printable ASCII by construction, so the fallback is never taken.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What a header value means; `None` when it holds characters that no header
/// may hold, or a sentinel with something else than Base64 of UTF-8.
#[must_use]
pub fn decode(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    match text
        .strip_prefix(SENTINEL.0)
        .and_then(|rest| rest.strip_suffix(SENTINEL.1))
    {
        None => Some(text.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

/// How a header stands to the value it must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Present, once, and equal.
    Equal,
    /// Not there.
    Missing,
    /// Present but different, repeated with different values, or unreadable.
    Different,
}

/// Compares a header with the value of the body that it must repeat.
#[must_use]
pub fn compare(headers: &HeaderMap, name: &HeaderName, value: &str) -> Agreement {
    let mut agreement = Agreement::Missing;
    for header in headers.get_all(name) {
        if decode(header).as_deref() != Some(value) {
            return Agreement::Different;
        }
        agreement = Agreement::Equal;
    }
    agreement
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_needs_the_sentinel_gets_it() {
        assert_eq!(encode("us-west1"), "us-west1");
        assert_eq!(encode("a b"), "a b");
        for value in [" a", "a ", "é", "a\nb", "=?base64?YQ==?="] {
            assert!(
                encode(value).to_str().unwrap().starts_with("=?base64?"),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_broken_sentinel_is_unreadable() {
        for value in ["=?base64?!!?=", "=?base64?/w==?=", "=?base64?YQ?="] {
            assert_eq!(decode(&HeaderValue::from_static(value)), None, "{value}");
        }
    }

    #[test]
    fn two_values_of_one_header_never_agree() {
        let mut headers = HeaderMap::new();
        assert_eq!(compare(&headers, &NAME, "a"), Agreement::Missing);
        headers.append(NAME, HeaderValue::from_static("a"));
        assert_eq!(compare(&headers, &NAME, "a"), Agreement::Equal);
        headers.append(NAME, HeaderValue::from_static("b"));
        assert_eq!(compare(&headers, &NAME, "a"), Agreement::Different);
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any::<String>()) {
            prop_assert_eq!(decode(&encode(&value)), Some(value));
        }
    }
}
