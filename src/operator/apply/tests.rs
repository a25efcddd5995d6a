//! Applying against a fake API server behind the real client.

use std::sync::Arc;

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::render::{Child, ChildKind, Owner};
use crate::testing::FakeApi;

const PATH: &str = "/api/v1/namespaces/ns/configmaps/x";

fn owner() -> Owner {
    Owner {
        api_version: "agentkube.io/v1alpha1".to_owned(),
        kind: "LLMGateway".to_owned(),
        name: "x".to_owned(),
        uid: "owner-uid".to_owned(),
    }
}

fn child(data: Value) -> Child {
    Child {
        kind: ChildKind::ConfigMap,
        namespace: "ns".to_owned(),
        name: "x".to_owned(),
        body: json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "x", "namespace": "ns", "labels": {}, "annotations": {} },
            "data": data,
        }),
    }
}

/// A store that shows one object.
struct Known(Option<DynamicObject>);

impl Children for Known {
    fn child(&self, _: ChildKind, _: &str, _: &str) -> Option<Arc<DynamicObject>> {
        self.0.clone().map(Arc::new)
    }
}

fn as_seen(api: &FakeApi) -> Known {
    let mut value = api.get(PATH).unwrap();
    // As a list brings it.
    value
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key != "apiVersion" && key != "kind");
    Known(serde_json::from_value(value).ok())
}

#[tokio::test]
async fn an_unchanged_child_is_never_written_again() {
    let api = FakeApi::default();
    let wanted = child(json!({ "plan.json": "{}" }));
    assert_eq!(
        apply(&api.client(), &(), &owner(), &wanted).await.unwrap(),
        Applied::Written
    );
    assert_eq!(api.writes(), ["PATCH /api/v1/namespaces/ns/configmaps/x"]);
    assert_eq!(
        apply(&api.client(), &(), &owner(), &wanted).await.unwrap(),
        Applied::Unchanged
    );
    let seen = as_seen(&api);
    assert_eq!(
        apply(&api.client(), &seen, &owner(), &wanted)
            .await
            .unwrap(),
        Applied::Unchanged
    );
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn drift_and_a_field_that_is_no_longer_wanted_are_mended() {
    let api = FakeApi::default();
    let wanted = child(json!({ "a": "1", "b": "2" }));
    apply(&api.client(), &(), &owner(), &wanted).await.unwrap();
    let mut drifted = api.get(PATH).unwrap();
    drifted["data"]["a"] = json!("changed");
    api.put(PATH, drifted);
    api.writes();
    assert_eq!(
        apply(&api.client(), &(), &owner(), &wanted).await.unwrap(),
        Applied::Written
    );
    assert_eq!(api.get(PATH).unwrap()["data"]["a"], json!("1"));
    let less = child(json!({ "a": "1" }));
    assert_eq!(
        apply(&api.client(), &(), &owner(), &less).await.unwrap(),
        Applied::Written
    );
}

#[tokio::test]
async fn an_object_of_somebody_else_is_never_touched() {
    for owners in [
        json!([]),
        json!([{ "apiVersion": "v1", "kind": "X", "name": "x", "uid": "other", "controller": true }]),
        json!([{ "apiVersion": "v1", "kind": "X", "name": "x", "uid": "owner-uid" }]),
    ] {
        let api = FakeApi::default();
        let theirs = json!({
            "metadata": { "name": "x", "namespace": "ns", "ownerReferences": owners },
            "data": { "a": "theirs" },
        });
        api.put(PATH, theirs);
        let error = apply(&api.client(), &(), &owner(), &child(json!({})))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ApplyError::NameTaken {
                    kind: "ConfigMap",
                    ..
                }
            ),
            "{error}"
        );
        assert!(api.writes().is_empty());
    }
}

#[tokio::test]
async fn an_object_that_took_the_name_since_we_looked_is_not_touched_either() {
    let api = FakeApi::default();
    apply(&api.client(), &(), &owner(), &child(json!({ "a": "1" })))
        .await
        .unwrap();
    let stale = as_seen(&api);
    api.remove(PATH);
    api.put(
        PATH,
        json!({ "metadata": { "name": "x", "namespace": "ns" }, "data": { "a": "theirs" } }),
    );
    let changed = child(json!({ "a": "2" }));
    assert!(
        apply(&api.client(), &stale, &owner(), &changed)
            .await
            .is_err()
    );
    assert_eq!(api.get(PATH).unwrap()["data"]["a"], json!("theirs"));
}

#[tokio::test]
async fn a_child_that_is_no_longer_wanted_goes_only_if_it_is_ours() {
    let api = FakeApi::default();
    let wanted = child(json!({}));
    assert_eq!(
        remove(&api.client(), &Known(None), &owner(), &wanted)
            .await
            .unwrap(),
        Applied::Unchanged
    );
    apply(&api.client(), &(), &owner(), &wanted).await.unwrap();
    let seen = as_seen(&api);
    let stranger = Owner {
        uid: "other".to_owned(),
        ..owner()
    };
    assert_eq!(
        remove(&api.client(), &seen, &stranger, &wanted)
            .await
            .unwrap(),
        Applied::Unchanged
    );
    assert!(api.get(PATH).is_some());
    assert_eq!(
        remove(&api.client(), &seen, &owner(), &wanted)
            .await
            .unwrap(),
        Applied::Written
    );
    assert!(api.get(PATH).is_none());
}
