//! Violations in words.

use serde_json::json;

use super::*;
use crate::testing::{gateway, mcp, set};

fn said(object: &Value) -> Vec<String> {
    let mut found = Findings::default();
    let kind = Kind::from_name(object["kind"].as_str().unwrap()).unwrap();
    let filled = agentkube_crds::defaults(kind, object);
    check(kind, &filled, &mut found);
    found.errors.iter().map(ToString::to_string).collect()
}

fn with(pointer: &str, value: Value) -> Value {
    let mut object = gateway();
    set(&mut object, pointer, value);
    object
}

#[test]
fn every_kind_has_a_schema_that_compiles_and_is_closed() {
    for kind in Kind::ALL {
        let object = json!({
            "apiVersion": "agentkube.io/v1alpha1", "kind": kind.as_str(),
            "metadata": {"name": "x", "managedFields": [], "anything": 1}, "speck": {},
        });
        let mut found = Findings::default();
        check(kind, &object, &mut found);
        let lines: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        assert!(
            lines.contains(&"speck: unknown field (did you mean \"spec\"?)".to_owned()),
            "{kind}: {lines:?}"
        );
        assert!(
            !lines.iter().any(|line| line.starts_with("metadata")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_good_object_has_no_finding() {
    assert_eq!(said(&gateway()), [""; 0]);
    assert_eq!(said(&mcp()), [""; 0]);
}

#[test]
fn a_status_is_never_wrong() {
    assert_eq!(said(&with("/status", json!({"anything": 1}))), [""; 0]);
}

#[test]
fn an_unknown_field_names_the_nearest_one() {
    assert_eq!(
        said(&with("/spec/upstreams/0/prioritty", json!(1))),
        ["spec.upstreams[0].prioritty: unknown field (did you mean \"priority\"?)"]
    );
    assert_eq!(
        said(&with("/spec/rate_limit", json!({}))),
        ["spec.rate_limit: unknown field (did you mean \"rateLimit\"?)"]
    );
}

#[test]
fn an_enum_names_its_values_also_to_a_boolean() {
    assert_eq!(
        said(&with("/spec/auth/mode", json!("apiKey"))),
        [
            "spec.auth.mode: \"apiKey\" is not a legal value; legal values are \
          apikey, none, serviceAccount (did you mean \"apikey\"?)"
        ]
    );
    assert_eq!(
        said(&with("/spec/auth/mode", json!(false))),
        [
            "spec.auth.mode: got the boolean false; legal values are apikey, none, serviceAccount \
          (YAML reads a bare yes, no, on or off as a boolean)"
        ]
    );
}

#[test]
fn a_type_is_said_without_repeating_the_value() {
    let found = said(&with(
        "/spec/upstreams/0/credentialsRef",
        json!("sk-secret"),
    ));
    assert_eq!(
        found,
        ["spec.upstreams[0].credentialsRef: a map is wanted, not a string"]
    );
    let found = said(&with("/spec/upstreams/0/models/1", json!(41)));
    assert_eq!(
        found,
        ["spec.upstreams[0].models[1]: a string is wanted, not a number: quote it"]
    );
}

#[test]
fn a_label_that_is_no_string_is_to_be_quoted() {
    assert_eq!(
        said(&with(
            "/metadata/labels",
            json!({"agentkube.io/strict": true})
        )),
        ["metadata.labels[agentkube.io/strict]: a string is wanted, not a boolean: quote it"]
    );
}

#[test]
fn an_entry_of_a_map_is_bracketed() {
    let found = said(&with(
        "/spec/prices",
        json!({"gpt-5.1": {"input": true, "output": 1}}),
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("spec.prices[gpt-5.1].input: "),
        "{found:?}"
    );
}

#[test]
fn a_missing_field_says_what_it_is_for() {
    let mut object = gateway();
    object["spec"].as_object_mut().unwrap().remove("upstreams");
    let found = said(&object);
    assert_eq!(
        found,
        ["spec.upstreams: required: The providers behind this gateway"]
    );
}

#[test]
fn repetitions_in_sets_and_keyed_lists_are_found() {
    let found = said(&with("/spec/upstreams/0/models", json!(["a", "b", "a"])));
    assert_eq!(
        found,
        ["spec.upstreams[0].models[2]: \"a\" is already spec.upstreams[0].models[0]"]
    );
}
