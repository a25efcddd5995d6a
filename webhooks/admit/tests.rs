//! Verdicts on whole objects.

use agentkube_crds::{Kind, LLMGateway, MCP, Reason};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::lookup::FileIndex;
use crate::testing::{created, documented, gateway, judged, lines, mcp, secret, set};

fn index() -> FileIndex {
    FileIndex::from_objects(&documented())
}

#[test]
fn the_documented_mcp_is_admitted_without_a_word() {
    let verdict = created(&mcp(), &index());
    assert_eq!(lines(&verdict.errors), [""; 0]);
    assert_eq!(lines(&verdict.warnings), [""; 0]);
}

#[test]
fn the_documented_gateway_is_admitted_and_only_its_secret_is_missed() {
    let verdict = created(&gateway(), &index());
    assert_eq!(lines(&verdict.errors), [""; 0]);
    assert_eq!(
        lines(&verdict.warnings),
        [
            "spec.guardrails: not enforced yet: prompts and answers pass unfiltered",
            "spec.rateLimit: not enforced yet: requests pass without this limit",
            "spec.upstreams[0].credentialsRef.name: \
             Secret \"platform/anthropic-key\" does not exist yet",
        ]
    );
    for warning in lines(&verdict.warnings) {
        assert!(
            warning.chars().count() <= crate::review::MAX_WARNING,
            "{warning}"
        );
    }
}

#[test]
fn five_mistakes_get_five_causes_at_their_paths() {
    let mut bad = gateway();
    set(&mut bad, "/spec/upstreams/0/provider", json!("antropic"));
    set(
        &mut bad,
        "/spec/upstreams/0/endpoint",
        json!("http://169.254.169.254/v1"),
    );
    set(
        &mut bad,
        "/spec/routing/modelMap/0/to",
        json!("claude-opus-4.7"),
    );
    set(
        &mut bad,
        "/spec/routing/modelMap/1/upstream",
        json!("anthropics"),
    );
    set(&mut bad, "/spec/rateLimit/requestsPerMinute", json!("600"));
    let verdict = created(&bad, &index());
    assert_eq!(
        lines(&verdict.errors),
        [
            "spec.rateLimit.requestsPerMinute: an integer is wanted, not a string",
            "spec.routing.modelMap[0].to: upstream \"anthropic\" does not serve \
             \"claude-opus-4.7\" (did you mean \"claude-opus-4-7\"?)",
            "spec.routing.modelMap[1].upstream: there is no upstream \"anthropics\" \
             (did you mean \"anthropic\"?)",
            "spec.upstreams[0].endpoint: link-local and metadata addresses are refused: \
             they give away the node's identity",
            "spec.upstreams[0].provider: \"antropic\" is not a legal value; legal values are \
             anthropic, azure-openai, bedrock, ollama, openai, vertex, vllm \
             (did you mean \"anthropic\"?)",
        ]
    );
}

#[test]
fn one_mistake_is_one_cause_whoever_else_sees_it() {
    // The schema, CEL and a check all have a word to say about each of these.
    for (pointer, value, field) in [
        (
            "/spec/upstreams/0/endpoint",
            json!("ftp://host"),
            "spec.upstreams[0].endpoint",
        ),
        (
            "/spec/upstreams/0/region",
            json!("eu"),
            "spec.upstreams[0].region",
        ),
        (
            "/spec/upstreams/0/models",
            json!("all"),
            "spec.upstreams[0].models",
        ),
        ("/metadata/name", json!("1-Bad"), "metadata.name"),
        (
            "/spec/upstreams/0/credentialsRef",
            json!(7),
            "spec.upstreams[0].credentialsRef",
        ),
    ] {
        let mut bad = gateway();
        set(&mut bad, "/spec/routing", json!({}));
        set(&mut bad, pointer, value);
        let verdict = created(&bad, &index());
        let fields: Vec<&str> = verdict
            .errors
            .iter()
            .map(|error| error.field.as_str())
            .collect();
        assert_eq!(fields, [field], "{:?}", lines(&verdict.errors));
    }
}

#[test]
fn a_policy_is_refused_whole() {
    let policy = json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "AgentPolicy",
        "metadata": {"name": "p"}, "spec": {"enforcement": "Deny"},
    });
    let verdict = created(&policy, &index());
    assert_eq!(verdict.errors.len(), 1, "{:?}", verdict.errors);
    assert_eq!(verdict.errors[0].reason, Reason::NotSupported);
}

#[test]
fn an_update_is_denied_only_for_what_is_new() {
    let mut old = gateway();
    set(&mut old, "/spec/routing/defaultModel", json!("gone"));
    let mut new = old.clone();
    set(&mut new, "/spec/replicas", json!(2));
    let verdict = judged(&new, Some(&old), &index(), Mode::Cluster);
    assert!(verdict.is_allowed(), "{:?}", verdict.errors);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|it| it.field == "spec.routing.defaultModel")
    );

    set(&mut new, "/spec/routing/modelMap/0/to", json!("gone-too"));
    let verdict = judged(&new, Some(&old), &index(), Mode::Cluster);
    assert_eq!(verdict.errors.len(), 1);
    assert_eq!(verdict.errors[0].field, "spec.routing.modelMap[0].to");

    // The same field, wrong in another way, is new.
    set(
        &mut new,
        "/spec/routing/modelMap/0/to",
        json!("claude-opus-4-7"),
    );
    set(
        &mut new,
        "/spec/routing/defaultModel",
        json!("gone-as-well"),
    );
    let verdict = judged(&new, Some(&old), &index(), Mode::Cluster);
    assert_eq!(verdict.errors.len(), 1);
}

#[test]
fn a_changed_port_is_said() {
    let old = mcp();
    let mut new = old.clone();
    set(&mut new, "/spec/port", json!(9000));
    let verdict = judged(&new, Some(&old), &index(), Mode::Cluster);
    assert_eq!(verdict.warnings.len(), 1);
    assert_eq!(verdict.warnings[0].field, "spec.port");
}

#[test]
fn deletion_finalizers_and_status_pass_whatever_is_wrong() {
    let mut bad = gateway();
    set(&mut bad, "/spec/upstreams", json!("none"));
    assert!(!created(&bad, &index()).is_allowed());

    let mut going = bad.clone();
    set(
        &mut going,
        "/metadata/deletionTimestamp",
        json!("2026-01-01T00:00:00Z"),
    );
    assert_eq!(created(&going, &index()), Verdict::default());

    let mut freed = bad.clone();
    set(&mut freed, "/metadata/finalizers", json!([]));
    assert_eq!(
        judged(&freed, Some(&bad), &index(), Mode::Cluster),
        Verdict::default()
    );

    let status = Admit {
        kind: Kind::LLMGateway,
        namespace: "platform",
        new: &bad,
        old: None,
        subresource: Some("status"),
    };
    assert_eq!(
        admit(&status, &index(), &Install::default()),
        Verdict::default()
    );
}

#[test]
fn loopback_is_for_this_machine_only() {
    let mut local = mcp();
    set(
        &mut local,
        "/spec/upstreams/0/endpoint",
        json!("http://127.0.0.1:9000/mcp"),
    );
    assert!(judged(&local, None, &index(), Mode::Local).is_allowed());
    let verdict = judged(&local, None, &index(), Mode::Cluster);
    assert_eq!(verdict.errors.len(), 1);
    assert_eq!(verdict.errors[0].field, "spec.upstreams[0].endpoint");
}

#[test]
fn anything_at_all_gets_a_verdict() {
    for spec in [
        json!(null),
        json!([]),
        json!(7),
        json!({"upstreams": [null, 1, "x", [], {}]}),
    ] {
        for kind in Kind::ALL {
            let object = json!({
                "apiVersion": "agentkube.io/v1alpha1", "kind": kind.as_str(),
                "metadata": {"name": "x", "namespace": "a"}, "spec": spec,
            });
            assert!(!created(&object, &index()).is_allowed(), "{kind} {spec}");
        }
    }
}

/// The documented objects with some places overwritten or removed.
fn disturbed() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!({})),
        Just(json!([])),
        Just(json!("claude-*")),
        Just(json!("http://10.0.0.1/v1")),
        Just(json!(true)),
        Just(json!(2)),
        Just(json!({"name": "x", "key": "y"})),
        Just(json!(["a", "a", "b*"])),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), leaf), 0..4);
    (any::<bool>(), edits).prop_map(|(is_gateway, edits)| {
        let mut object = if is_gateway { gateway() } else { mcp() };
        for (place, value) in edits {
            let pointers = pointers(&object["spec"], "/spec");
            let pointer = place.get(&pointers);
            *object.pointer_mut(pointer).unwrap() = value;
        }
        object
    })
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                found.extend(pointers(value, &format!("{at}/{name}")));
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                found.extend(pointers(value, &format!("{at}/{index}")));
            }
        }
        _ => {}
    }
    found
}

/// Everything but null that was written is still there.
fn keeps(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(name, value)| after.get(name).is_some_and(|it| keeps(value, it))),
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(b, a)| keeps(b, a))
        }
        _ => before == after,
    }
}

proptest! {
    // Each case is a whole admission or two.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn admitting_twice_changes_nothing_and_nothing_written_is_lost(object in disturbed()) {
        let first = created(&object, &index());
        let once = first.object.clone().unwrap();
        prop_assert!(keeps(&object, &once));
        let second = created(&once, &index());
        prop_assert!(json_patch::diff(&once, second.object.as_ref().unwrap()).0.is_empty());
        prop_assert_eq!(first.errors, second.errors);
    }

    #[test]
    fn what_is_admitted_can_be_read_by_the_operator(object in disturbed()) {
        let verdict = created(&object, &index());
        if verdict.is_allowed() {
            let stored = verdict.object.unwrap();
            let read = if stored["kind"] == "MCP" {
                serde_json::from_value::<MCP>(stored).map(|_| ())
            } else {
                serde_json::from_value::<LLMGateway>(stored).map(|_| ())
            };
            prop_assert!(read.is_ok(), "{:?}", read);
        }
    }

    #[test]
    fn no_finding_is_said_twice(object in disturbed()) {
        let verdict = created(&object, &index());
        let mut all = lines(&verdict.errors);
        all.extend(lines(&verdict.warnings));
        let count = all.len();
        all.sort();
        all.dedup();
        prop_assert_eq!(all.len(), count);
    }
}

#[test]
fn a_secret_of_another_namespace_does_not_count() {
    let mut objects = documented();
    objects.push(secret("team-a", "anthropic-key", &["api-key"]));
    let verdict = created(&gateway(), &FileIndex::from_objects(&objects));
    assert!(
        verdict
            .warnings
            .iter()
            .any(|it| it.field.ends_with("credentialsRef.name"))
    );
    objects.push(secret("platform", "anthropic-key", &["api-key"]));
    let verdict = created(&gateway(), &FileIndex::from_objects(&objects));
    assert!(
        !verdict
            .warnings
            .iter()
            .any(|it| it.field.ends_with("credentialsRef.name"))
    );
}
