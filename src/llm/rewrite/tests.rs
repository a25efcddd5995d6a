use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::peek;

fn rewritten(body: &str, model: &str, usage: StreamUsage) -> (String, bool) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let out = rewrite(&body, &peek(&body).unwrap(), Some(model), usage);
    (
        String::from_utf8(out.body.to_vec()).unwrap(),
        out.hide_usage,
    )
}

#[test]
fn nothing_to_change_is_the_same_memory() {
    let body = Bytes::from_static(br#"{"model":"m","stream":true}"#);
    let peeked = peek(&body).unwrap();
    let out = rewrite(&body, &peeked, Some("m"), StreamUsage::Leave);
    assert_eq!(out.body.as_ptr(), body.as_ptr());
    assert!(!out.hide_usage);
}

#[test]
fn only_the_name_changes_whatever_the_rest_looks_like() {
    let (out, _) = rewritten(
        "{ \"a\" : 1.0e3,\"model\":\"o\\u0070us\" ,\"z\":[ ]}\n",
        "m",
        StreamUsage::Ask,
    );
    assert_eq!(out, "{ \"a\" : 1.0e3,\"model\":\"m\" ,\"z\":[ ]}\n");
}

#[test]
fn a_missing_name_is_added() {
    assert_eq!(rewritten("{}", "m", StreamUsage::Ask).0, r#"{"model":"m"}"#);
    assert_eq!(
        rewritten(r#"{"a":1}"#, "m", StreamUsage::Ask).0,
        r#"{"model":"m","a":1}"#
    );
    assert_eq!(
        rewritten(r#"{"model":null}"#, "m", StreamUsage::Ask).0,
        r#"{"model":"m"}"#
    );
}

#[test]
fn a_name_cannot_break_out() {
    let (out, _) = rewritten(r#"{"model":"a"}"#, "x\",\"n\":\"9", StreamUsage::Ask);
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value, json!({"model": "x\",\"n\":\"9"}));
}

#[test]
fn usage_is_asked_for_and_its_chunk_hidden_when_the_client_did_not() {
    for (body, expected) in [
        (
            r#"{"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":null}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ }}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"x":1}}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false},"stream":true,"model":"m"}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"m"}"#,
        ),
    ] {
        assert_eq!(
            rewritten(body, "m", StreamUsage::Ask),
            (expected.to_owned(), true),
            "{body}"
        );
        assert_eq!(
            rewritten(body, "m", StreamUsage::Leave),
            (body.to_owned(), false),
            "{body}"
        );
    }
}

#[test]
fn usage_that_the_client_asked_for_is_not_hidden() {
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(
        rewritten(body, "m", StreamUsage::Ask),
        (body.to_owned(), false)
    );
}

#[test]
fn an_answer_in_one_piece_is_not_asked_for_usage() {
    let body = r#"{"model":"m","stream":false}"#;
    assert_eq!(
        rewritten(body, "m", StreamUsage::Ask),
        (body.to_owned(), false)
    );
}

#[test]
fn both_splices_meet_at_the_brace() {
    let (out, hidden) = rewritten(r#"{"stream":true}"#, "m", StreamUsage::Ask);
    let value: Value = serde_json::from_str(&out).unwrap();
    let options = json!({"include_usage": true});
    assert_eq!(
        value,
        json!({"stream": true, "model": "m", "stream_options": options})
    );
    assert!(hidden);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\{]{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn requests() -> impl Strategy<Value = Map<String, Value>> {
    let others = prop::collection::btree_map("x[a-z\"\\\\{]{0,4}", values(), 0..5);
    let model = prop::option::of(prop_oneof![
        Just(Value::Null),
        ".{1,8}".prop_map(Value::from)
    ]);
    let stream = prop::option::of(any::<bool>());
    let options = prop::option::of(prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"include_usage": null, "y": {"include_usage": 1}})),
        any::<bool>().prop_map(|it| json!({"a": [1], "include_usage": it})),
    ]);
    (others, model, stream, options).prop_map(|(others, model, stream, options)| {
        let mut body: Map<String, Value> = others.into_iter().collect();
        body.extend(model.map(|it| ("model".to_owned(), it)));
        body.extend(stream.map(|it| ("stream".to_owned(), it.into())));
        body.extend(options.map(|it| ("stream_options".to_owned(), it)));
        body
    })
}

proptest! {
    #[test]
    fn splicing_is_what_reserialising_would_have_been(
        body in requests(),
        model in ".{1,12}",
        pretty in any::<bool>(),
    ) {
        let text = if pretty {
            serde_json::to_string_pretty(&body).unwrap()
        } else {
            serde_json::to_string(&body).unwrap()
        };
        let (out, hidden) = rewritten(&text, &model, StreamUsage::Ask);

        let mut expected = body.clone();
        expected.insert("model".to_owned(), model.into());
        let streams = body.get("stream") == Some(&Value::Bool(true));
        let asked = body.get("stream_options").and_then(|it| it.get("include_usage"))
            == Some(&Value::Bool(true));
        if streams && !asked {
            let options = expected.entry("stream_options").or_insert(Value::Null);
            if options.is_null() {
                *options = json!({});
            }
            options["include_usage"] = true.into();
        }
        prop_assert_eq!(hidden, streams && !asked);
        // As values: the order of members does not matter.
        let out: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(out, Value::Object(expected));
    }
}

#[test]
fn a_wire_with_the_model_in_its_path_gets_a_body_without() {
    let body = Bytes::from_static(
        br#"{ "model": "m", "a": [1.50, "x"], "anthropic_version": "2023-06-01" }"#,
    );
    let version = Some(("anthropic_version", "\"vertex-2023-10-16\""));
    assert_eq!(
        model_in_path(&body, version),
        r#"{"anthropic_version":"vertex-2023-10-16","a":[1.50, "x"]}"#
    );
    assert_eq!(model_in_path(&Bytes::from_static(b"{}"), None), "{}");
    assert_eq!(model_in_path(&Bytes::from_static(b"[1]"), version), "[1]");
    assert_eq!(
        with_member(&Bytes::from_static(br#"{"model":"m"}"#), ("v", "1")),
        r#"{"v":1,"model":"m"}"#
    );
}
