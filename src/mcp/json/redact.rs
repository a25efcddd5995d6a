//! Secrets in the strings of JSON text, however the text spells them.
//!
//! Go writes `&` as `\u0026`, PHP writes `/` as `\/`, and any character can be
//! written by its number. So a string that escapes something is compared by what
//! it means, and also by what it means to a reader of JSON inside of it: tools
//! like to answer with documents as text.

use std::str::Chars;

use super::Cursor;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// The text with `[redacted]` for every occurrence of `secret` inside its strings;
/// `None` when there is none. Every other byte stays as it is.
#[must_use]
pub fn redact(text: &str, secret: &str) -> Option<String> {
    let first = *secret.as_bytes().first()?;
    if !may_hold(text, secret) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut cursor, mut copied) = (Cursor::new(text), 0);
    while let Some(byte) = cursor.peek() {
        if byte != b'"' {
            cursor.at += 1;
            continue;
        }
        let Some(literal) = cursor.string() else {
            break;
        };
        // Without the quotes: a secret may begin with one.
        let mut at = literal.start + 1;
        while let Some(rest) = text.get(at..literal.end - 1) {
            let Some(skipped) = memchr::memchr2(first, b'\\', rest.as_bytes()) else {
                break;
            };
            at += skipped;
            let rest = rest.get(skipped..).unwrap_or_default();
            if let Some(length) = length_of(rest, secret) {
                out.push_str(text.get(copied..at).unwrap_or_default());
                out.push_str(REDACTED);
                at += length;
                copied = at;
            } else {
                at += one(rest);
            }
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// False when it is plain that the text does not spell the secret. Most texts
/// escape nothing, or nothing that could be written in two ways.
fn may_hold(text: &str, secret: &str) -> bool {
    let text = text.as_bytes();
    if memchr::memmem::find(text, secret.as_bytes()).is_some() {
        return true;
    }
    let must_escape = secret
        .bytes()
        .any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\'));
    memchr::memchr_iter(b'\\', text)
        .any(|at| must_escape || matches!(text.get(at + 1), Some(b'u' | b'/')))
}

/// How many bytes spell the secret at the beginning of this part of a string.
fn length_of(rest: &str, secret: &str) -> Option<usize> {
    let mut meant = Unescaped(rest.chars());
    if secret.chars().all(|char| meant.next() == Some(char)) {
        return Some(rest.len() - meant.0.as_str().len());
    }
    let mut nested = Unescaped(Unescaped(rest.chars()));
    secret
        .chars()
        .all(|char| nested.next() == Some(char))
        .then(|| rest.len() - nested.0.0.as_str().len())
}

/// How many bytes spell the first character.
fn one(rest: &str) -> usize {
    let mut chars: Unescaped<Chars<'_>> = Unescaped(rest.chars());
    chars.next();
    rest.len() - chars.0.as_str().len()
}

/// The characters that escaped ones mean. A backslash that escapes nothing is
/// one; half of a surrogate pair is a replacement character.
#[derive(Clone)]
struct Unescaped<I>(I);

impl<I: Iterator<Item = char> + Clone> Iterator for Unescaped<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = self.0.next()?;
        if first != '\\' {
            return Some(first);
        }
        let mut rest = self.0.clone();
        let Some(meant) = escaped(&mut rest) else {
            return Some(first);
        };
        self.0 = rest;
        Some(meant)
    }
}

/// The character whose escape goes on so.
fn escaped<I: Iterator<Item = char> + Clone>(rest: &mut I) -> Option<char> {
    Some(match rest.next()? {
        it @ ('"' | '\\' | '/') => it,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return numbered(rest),
        _ => return None,
    })
}

fn numbered<I: Iterator<Item = char> + Clone>(rest: &mut I) -> Option<char> {
    let unit = hex(rest)?;
    if (0xd800..0xdc00).contains(&unit) {
        let mut after = rest.clone();
        let follows = after.next() == Some('\\') && after.next() == Some('u');
        let low = hex(&mut after).filter(|low| follows && (0xdc00..0xe000).contains(low));
        if let Some(low) = low {
            *rest = after;
            return char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        }
    }
    Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn hex(rest: &mut impl Iterator<Item = char>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| {
        Some(number * 16 + rest.next()?.to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_cut_out_of_strings_and_numbers_stay_numbers() {
        let text = r#"{"12345678":"x12345678y","n":12345678,"é":["12345678"]}"#;
        let clean = redact(text, "12345678").unwrap();
        assert_eq!(
            clean,
            r#"{"[redacted]":"x[redacted]y","n":12345678,"é":["[redacted]"]}"#
        );
        assert_eq!(redact(r#"{"n":12345678}"#, "12345678"), None);
        assert_eq!(redact(text, "absent"), None);
        assert_eq!(redact(text, ""), None);
        assert_eq!(redact(text, "\"12345678\""), None);
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        for (secret, spelled) in [
            ("p&ssword1", r"p\u0026ssword1"),
            (
                "<p&ss>\u{1f600}é",
                r"\u003Cp\u0026ss\u003e\ud83d\uDE00\u00e9",
            ),
            ("a/b/c/d/e", r"a\/b\/c/d\u002fe"),
            ("password1", r"\u0070assword\u0031"),
            ("pass\"\\word\n", r#"pass\u0022\\word\n"#),
            ("pass\u{1}word", r"pass\u0001word"),
            ("\"password\"", r#"\"password\""#),
        ] {
            let text = format!(r#"{{"k":"\u0026 {spelled}\n\/{spelled}","\ud83d":"x\\"}}"#);
            let clean = redact(&text, secret).unwrap();
            assert_eq!(
                clean,
                r#"{"k":"\u0026 [redacted]\n\/[redacted]","\ud83d":"x\\"}"#
            );
        }
    }

    #[test]
    fn a_secret_is_found_in_a_document_that_is_a_string() {
        for secret in ["p&ssword1", "p\"ss/word", "p\\assword"] {
            let inner = serde_json::json!({ "v": secret }).to_string();
            let inner = inner.replace('&', r"\u0026").replace('/', r"\/");
            let text = serde_json::json!({ "text": inner }).to_string();
            let clean = redact(&text, secret).unwrap();
            assert_eq!(clean, r#"{"text":"{\"v\":\"[redacted]\"}"}"#);
        }
    }

    #[test]
    fn what_only_looks_like_an_escape_is_left_alone() {
        // An escaped backslash before `u0026`, twice: the text holds no `&`.
        for text in [
            r#"["p\\\\u0026ssword1"]"#,
            r#"["C:\\new\\u002"]"#,
            r#"["\u00"]"#,
        ] {
            assert_eq!(redact(text, "p&ssword1"), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_spelled_by_numbers_is_found(
            before in "[ -~é\u{1f600}]{0,6}",
            secret in "[ -~é\u{1f600}]{8,12}",
            numbered in proptest::collection::vec(proptest::bool::ANY, 24),
        ) {
            let mut text = serde_json::Value::from(&*before).to_string();
            text.pop();
            for (at, char) in secret.chars().enumerate() {
                if numbered[at] || matches!(char, '"' | '\\') {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        text += &format!("\\u{unit:04x}");
                    }
                } else {
                    text.push(char);
                }
            }
            text.push('"');
            let clean = redact(&text, &secret).unwrap();
            let clean: String = serde_json::from_str(&clean).unwrap();
            proptest::prop_assert!(!clean.contains(&secret), "{}", text);
        }
    }
}
