//! Small things about JSON that several wires need.

use std::fmt::Write as _;

use memchr::memmem::Finder;
use serde::Serialize;
use serde_json::value::RawValue;

/// Serialises what we write ourselves, on one line for every reader.
///
/// JSON leaves U+0085, U+2028 and U+2029 as they are, but some clients split
/// lines there (Python's `splitlines`), so they are escaped.
pub(crate) fn to_line<T: Serialize>(value: &T) -> String {
    // The types we write have string keys and no fallible `Serialize`.
    let text = serde_json::to_string(value).unwrap_or_else(|_| String::from("{}"));
    if !text.contains(is_line_break) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_line_break(char) {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(char));
        } else {
            line.push(char);
        }
    }
    line
}

/// Copies JSON text onto one line: without the white space between its tokens.
pub(crate) fn compact(text: &str, out: &mut String) {
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        if is_line_break(char) {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
            escaped = false;
            continue;
        }
        match char {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\n' | '\r' | '\t' if !in_string => continue,
            _ => {}
        }
        out.push(char);
    }
}

fn is_line_break(char: char) -> bool {
    matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Tool arguments as the object that some wires insist on; none where the model
/// wrote something else.
pub(crate) fn object_of(arguments: &str) -> Option<Box<RawValue>> {
    let text = arguments.trim();
    let object = if text.is_empty() { "{}" } else { text };
    let is_object = object.starts_with('{');
    let object = is_object.then(|| RawValue::from_string(object.to_owned()));
    object?.ok()
}

/// An object with the arguments that are none, so that they are not lost.
pub(crate) fn unreadable_arguments(arguments: &str) -> Box<RawValue> {
    let text = to_line(&arguments);
    RawValue::from_string(format!("{{\"unreadable_arguments\":{text}}}"))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// True when `key` (with its quotes) may be a member with a value other than
/// null somewhere in this JSON text.
///
/// A filter before parsing, made for machine-written JSON: inside a string
/// the quotes would be escaped and do not match.
pub(crate) fn may_hold(json: &[u8], key: &Finder<'_>) -> bool {
    key.find_iter(json).any(|at| {
        let rest = json.get(at + key.needle().len()..).unwrap_or_default();
        rest.trim_ascii_start()
            .strip_prefix(b":")
            .is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_of_unicode_are_escaped() {
        let line = to_line(&"a\u{2028}b\u{2029}c\u{85}d\ne");
        assert_eq!(line, r#""a\u2028b\u2029c\u0085d\ne""#);
        assert_eq!(
            serde_json::from_str::<String>(&line).unwrap(),
            "a\u{2028}b\u{2029}c\u{85}d\ne"
        );
    }

    #[test]
    fn null_members_and_quoted_text_are_passed_over() {
        let usage = Finder::new(b"\"usage\"");
        assert!(may_hold(br#"{"usage" : {"a":1}}"#, &usage));
        assert!(may_hold(br#"{"usage":null,"x":{"usage":1}}"#, &usage));
        assert!(!may_hold(br#"{"usage": null}"#, &usage));
        assert!(!may_hold(br#"{"content":"\"usage\":1"}"#, &usage));
        assert!(!may_hold(br#"{"kind":"usage"}"#, &usage));
        assert!(!may_hold(br#"{"usage""#, &usage));
    }
}
