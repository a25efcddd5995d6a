//! The members of a JSON object, found without reading what is in them.
//!
//! An answer that passes by is looked at for two members; parsing the rest would
//! cost more than all else that the gateway does with it. So only strings and
//! brackets are followed: what is not an object, or breaks off, is noticed; what
//! only looks like JSON inside of a member is the reader's to find.

use std::ops::Range;

use crate::scan::quote_or_backslash;

/// No JSON object, or one that breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoObject;

/// One member: the key as it is written between its quotes, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Where the value begins.
    pub(crate) at: usize,
}

/// Calls `take` with each member of the object.
///
/// # Errors
/// When the text is no object, ends before it does, or goes on behind it.
pub(crate) fn members<'a>(
    json: &'a [u8],
    mut take: impl FnMut(Member<'a>),
) -> Result<(), NoObject> {
    let mut text = Text { json, at: 0 };
    text.expect(b'{')?;
    if text.peek() == Some(b'}') {
        text.at += 1;
        return text.end();
    }
    loop {
        text.expect(b'"')?;
        let start = text.at;
        text.string()?;
        let key = json.get(start..text.at - 1).unwrap_or_default();
        text.expect(b':')?;
        text.space();
        let start = text.at;
        text.value()?;
        let value = json.get(start..text.at).unwrap_or_default();
        take(Member {
            key,
            value,
            at: start,
        });
        text.space();
        match text.next() {
            Some(b',') => {}
            Some(b'}') => return text.end(),
            _ => return Err(NoObject),
        }
    }
}

/// Where the value of a member lies; the text is read no further than that, and
/// may break off behind it.
pub(crate) fn find(json: &[u8], key: &[u8]) -> Option<Range<usize>> {
    let mut text = Text { json, at: 0 };
    text.expect(b'{').ok()?;
    loop {
        text.expect(b'"').ok()?;
        let start = text.at;
        text.string().ok()?;
        let found = json.get(start..text.at - 1) == Some(key);
        text.expect(b':').ok()?;
        text.space();
        let start = text.at;
        text.value().ok()?;
        if found {
            return Some(start..text.at);
        }
        text.expect(b',').ok()?;
    }
}

struct Text<'a> {
    json: &'a [u8],
    at: usize,
}

impl Text<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.json.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.json.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.json.get(self.at) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NoObject> {
        self.space();
        (self.next() == Some(byte)).then_some(()).ok_or(NoObject)
    }

    fn end(&mut self) -> Result<(), NoObject> {
        self.peek().is_none().then_some(()).ok_or(NoObject)
    }

    /// Behind the closing quote of a string whose opening one was read.
    fn string(&mut self) -> Result<(), NoObject> {
        loop {
            let rest = self.json.get(self.at..).unwrap_or_default();
            let found = quote_or_backslash(rest).ok_or(NoObject)?;
            self.at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Ok(());
            }
            // Whatever is escaped.
            self.at += 1;
        }
    }

    /// Behind what opens, closes and separates nothing.
    fn plain(&mut self) {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| {
            matches!(
                byte,
                b'"' | b'{' | b'}' | b'[' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r'
            )
        };
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    /// Behind what opens and closes nothing.
    fn nested(&mut self) {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    fn value(&mut self) -> Result<(), NoObject> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.json.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                    continue;
                }
                Some(b'}' | b']') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') if depth == 0 => {
                    return (self.at > start).then_some(()).ok_or(NoObject);
                }
                Some(_) => {
                    self.at += 1;
                    if depth == 0 {
                        self.plain();
                    } else {
                        self.nested();
                    }
                    continue;
                }
                None => return Err(NoObject),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn found(text: &str) -> Result<Vec<(String, String)>, NoObject> {
        let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut all = Vec::new();
        members(text.as_bytes(), |member| {
            all.push((owned(member.key), owned(member.value)));
        })?;
        Ok(all)
    }

    #[test]
    fn members_are_found_whatever_they_hold() {
        let text = r#" { "a" : {"b":["}", "\"]"]} , "c\"":"x\\" ,"d":-1.5e3,"e":null, "f":[] } "#;
        let pairs = found(text).unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("a", r#"{"b":["}", "\"]"]}"#),
                (r#"c\""#, r#""x\\""#),
                ("d", "-1.5e3"),
                ("e", "null"),
                ("f", "[]"),
            ]
        );
        assert_eq!(found("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_object_or_breaks_off_is_noticed() {
        for text in [
            "",
            "[]",
            "\"a\"",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":{}",
            "{\"a\":\"x}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a\":1,}",
            "<html>",
            "{\"a\":[1}",
        ] {
            assert_eq!(found(text), Err(NoObject), "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_object_is_skimmed_as_it_is_parsed(values in prop::collection::vec(value(), 0..5), pretty: bool) {
            let object: Map<String, Value> =
                values.into_iter().enumerate().map(|(at, value)| (format!("k{at}"), value)).collect();
            let whole = json!(object);
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) };
            let text = text.unwrap();
            let skimmed: Map<String, Value> = found(&text)
                .unwrap()
                .into_iter()
                .map(|(key, value)| (key, serde_json::from_str(&value).unwrap()))
                .collect();
            prop_assert_eq!(skimmed, object);
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in ".{0,64}") {
            let _ = found(&text);
        }
    }
}
