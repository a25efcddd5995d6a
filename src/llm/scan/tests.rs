use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

/// The members as they are written, or none.
fn scanned(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut all = Vec::new();
    members(text, |key, value| {
        all.push((key, value));
        Some(())
    })?;
    Some(all)
}

#[test]
fn members_come_as_they_are_written() {
    let text = br#" { "a" : "x\"}" ,"b":[1,{"c":[]}], "" : -0.5e+7} "#;
    let expected: [(&[u8], &[u8]); 3] = [
        (b"a", br#""x\"}""#),
        (b"b", br#"[1,{"c":[]}]"#),
        (b"", b"-0.5e+7"),
    ];
    assert_eq!(scanned(text).unwrap(), expected);
    assert_eq!(scanned(b"{}").unwrap(), []);
}

#[test]
fn what_is_no_object_has_no_members() {
    for text in [
        "",
        "{",
        "[]",
        "{}x",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":+1}"#,
        r#"{"a":tru}"#,
        r#"{"a":nul"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}}"#,
        r#"{"a":{"b":1]}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\u12"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"0123456789abcdef0123456789abcdef\u{1}\"}",
        r#"{"a":"b}"#,
        r#"{"a":[{}}"#,
        r#"{"a":NaN}"#,
    ] {
        assert_eq!(scanned(text.as_bytes()), None, "{text}");
        assert!(
            serde_json::from_str::<Value>(text).is_err() || text == "[]",
            "{text}"
        );
    }
}

#[test]
fn deep_nesting_is_left_to_the_other_parser() {
    let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(scanned(nested(64).as_bytes()).is_some());
    assert_eq!(scanned(nested(66).as_bytes()), None);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,5}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_object_is_understood(
        members in prop::collection::btree_map(".{0,6}", values(), 0..6),
        pretty in any::<bool>(),
    ) {
        let object = json!(members);
        let text = match pretty {
            true => serde_json::to_string_pretty(&object).unwrap(),
            false => object.to_string(),
        };
        let found = scanned(text.as_bytes()).unwrap();
        let found: BTreeMap<String, Value> = found
            .into_iter()
            .map(|(key, value)| {
                let key = [b"\"", key, b"\""].concat();
                (serde_json::from_slice(&key).unwrap(), serde_json::from_slice(value).unwrap())
            })
            .collect();
        let expected: BTreeMap<String, Value> =
            serde_json::from_str(&object.to_string()).unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_accepted_that_the_other_parser_refuses(
        text in r#"\{("[ab\\u0-9"]{0,4}"|[:,{}\[\] 0-9.eE+-]|true|null|"a":){0,24}\}"#,
    ) {
        let strict = serde_json::from_str::<BTreeMap<String, &RawValue>>(&text);
        if scanned(text.as_bytes()).is_some() {
            prop_assert!(strict.is_ok(), "{text}");
        }
    }
}
