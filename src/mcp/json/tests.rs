use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn a_replaced_member_leaves_every_other_byte_alone() {
    let text = r#"{ "a" : 1.50 , "name":"x",  "z": {"k": [1, 2]} }"#;
    let object = Object::parse(text).unwrap();
    let new = object.edit().set("name", "\"long\"").finish();
    assert_eq!(
        new,
        r#"{ "a" : 1.50 , "name":"long",  "z": {"k": [1, 2]} }"#
    );
}

#[test]
fn members_are_dropped_wherever_they_stand() {
    let object = Object::parse(r#"{"a":1, "b":2, "c":3}"#).unwrap();
    assert_eq!(object.edit().remove("a").finish(), r#"{"b":2, "c":3}"#);
    assert_eq!(object.edit().remove("b").finish(), r#"{"a":1, "c":3}"#);
    assert_eq!(object.edit().remove("c").finish(), r#"{"a":1, "b":2}"#);
    let none = object.edit().remove("a").remove("b").remove("c").finish();
    assert_eq!(none, "{}");
    assert_eq!(
        object.edit().remove("a").remove("b").set("d", "4").finish(),
        r#"{"c":3,"d":4}"#
    );
}

#[test]
fn a_member_is_appended_to_an_empty_object() {
    let object = Object::parse("{}").unwrap();
    assert_eq!(object.edit().set("a", "1").finish(), r#"{"a":1}"#);
    let object = Object::parse(" { } ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&object.edit().set("a", "1").finish()).unwrap(),
        serde_json::json!({"a": 1})
    );
}

#[test]
fn keys_are_compared_by_meaning_not_by_spelling() {
    let object = Object::parse(r#"{"n\u0061me":"x"}"#).unwrap();
    assert_eq!(object.text("name").unwrap(), "x");
}

#[test]
fn a_key_that_another_reader_could_take_for_ours_is_ambiguous() {
    for text in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","Name":"b"}"#,
        r#"{"NAME":"b"}"#,
        r#"{"name":"a","n\u0061me":"b"}"#,
    ] {
        assert_eq!(
            Object::parse(text).unwrap().distinct(&["name"]),
            Err(Ambiguous("name"))
        );
    }
    let kelvin = "{\"cloc\u{212a}\":1}";
    assert_eq!(
        Object::parse(kelvin).unwrap().distinct(&["clock"]),
        Err(Ambiguous("clock"))
    );
    assert_eq!(
        Object::parse(r#"{"name":1,"uri":2}"#)
            .unwrap()
            .distinct(&["name", "uri"]),
        Ok(())
    );
}

#[test]
fn depth_counts_brackets_outside_strings_only() {
    assert_eq!(check(r#"{"a":["[[[[{{{{"]}"#, 2), Ok(()));
    assert_eq!(check(r#"{"a":[["\"["]]}"#, 2), Err(JsonError::TooDeep(2)));
    let bomb = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(check(&bomb, 128), Err(JsonError::TooDeep(128)));
}

#[test]
fn arrays_split_into_their_items() {
    assert_eq!(
        array(r#" [ {"a":[1]} , "x,]" ,3] "#).unwrap(),
        [r#"{"a":[1]}"#, r#""x,]""#, "3"]
    );
    assert_eq!(array("[]").unwrap(), Vec::<&str>::new());
    assert!(array("{}").is_none());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\"\\\\é\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-d\"\\\\{,}]{0,3}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn surgery_agrees_with_a_typed_edit(
        map in prop::collection::btree_map("[a-d\"\\\\{,}]{0,3}", any_json(), 0..6),
        key in "[a-d]{1,2}",
        drop in "[a-d]{1,2}",
        pretty in any::<bool>(),
    ) {
        let mut value = Value::Object(map.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let object = Object::parse(&text).unwrap();
        prop_assert_eq!(object.edit().finish(), text.clone(), "no change, no difference");
        let mut edit = object.edit();
        edit.set(&key, "[7]");
        if key != drop {
            edit.remove(&drop);
            value.as_object_mut().unwrap().shift_remove(&drop);
        }
        value[&key] = serde_json::json!([7]);
        prop_assert_eq!(serde_json::from_str::<Value>(&edit.finish()).unwrap(), value);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ a1]{0,24}") {
        let _ = check(&text, 4);
        if let Some(object) = Object::parse(&text) {
            let _ = object.edit().set("a", "1").remove("1").finish();
        }
        let _ = array(&text);
    }
}
