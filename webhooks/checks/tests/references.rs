//! MCPs that refer to other MCPs.

use serde_json::{Value, json};

use crate::Verdict;
use crate::lookup::FileIndex;
use crate::testing::{created, lines, namespace};

fn mcp(namespace: &str, name: &str, targets: &[&str]) -> Value {
    let upstreams: Vec<Value> = targets
        .iter()
        .enumerate()
        .map(|(at, target)| {
            let (namespace, name) = target.split_once('/').unwrap();
            json!({
                "name": format!("u{at}"), "kind": "mcpRef",
                "mcpRef": { "name": name, "namespace": namespace },
            })
        })
        .collect();
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "MCP",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "upstreams": upstreams, "allowedNamespaces": { "from": "All" } },
    })
}

fn leaf(name: &str, allowed: Value) -> Value {
    json!({
        "apiVersion": "agentkube.io/v1alpha1", "kind": "MCP",
        "metadata": { "name": name, "namespace": "team-b" },
        "spec": {
            "upstreams": [{ "name": "x", "kind": "http", "endpoint": "http://x" }],
            "allowedNamespaces": allowed,
        },
    })
}

fn judge(object: &Value, others: &[Value]) -> Verdict {
    created(object, &FileIndex::from_objects(others))
}

#[test]
fn a_ring_is_denied_and_spelled_out() {
    let others = [
        mcp("team-b", "two", &["team-c/three"]),
        mcp("team-c", "three", &["team-a/one"]),
    ];
    let verdict = judge(&mcp("team-a", "one", &["team-b/two"]), &others);
    assert_eq!(
        lines(&verdict.errors),
        [
            "spec.upstreams[0].mcpRef: MCPs must not refer to each other in a ring: \
             team-a/one → team-b/two → team-c/three → team-a/one"
        ]
    );
    let own = judge(&mcp("team-a", "one", &["team-a/one"]), &[]);
    assert!(lines(&own.errors)[0].contains("team-a/one → team-a/one"));
}

#[test]
fn a_ring_that_does_not_hold_the_object_is_not_its_fault() {
    let others = [
        mcp("team-b", "two", &["team-c/three"]),
        mcp("team-c", "three", &["team-b/two"]),
    ];
    let verdict = judge(&mcp("team-a", "one", &["team-b/two"]), &others);
    assert_eq!(lines(&verdict.errors), [""; 0]);
}

#[test]
fn two_ways_to_one_mcp_are_no_ring() {
    let others = [
        mcp("team-b", "left", &["team-b/end"]),
        mcp("team-b", "right", &["team-b/end"]),
        leaf("end", json!({"from": "Same"})),
    ];
    let verdict = judge(
        &mcp("team-a", "one", &["team-b/left", "team-b/right"]),
        &others,
    );
    assert_eq!(lines(&verdict.errors), [""; 0]);
}

#[test]
fn a_missing_one_is_said_and_denied_only_where_that_is_wanted() {
    let object = mcp("team-a", "one", &["team-b/gone"]);
    let verdict = judge(&object, &[]);
    assert!(verdict.is_allowed());
    assert!(lines(&verdict.warnings)[0].contains("MCP \"team-b/gone\" does not exist yet"));
    let strict = namespace("team-a", json!({"agentkube.io/strict": "true"}), json!({}));
    assert!(!judge(&object, &[strict]).is_allowed());
}

#[test]
fn one_without_a_grant_is_denied_and_the_grant_is_named() {
    let object = mcp("team-a", "one", &["team-b/end"]);
    let verdict = judge(&object, &[leaf("end", json!({"from": "Same"}))]);
    let said = lines(&verdict.errors).join("\n");
    assert!(
        said.contains("does not admit namespace \"team-a\""),
        "{said}"
    );
    assert!(
        said.contains("kubernetes.io/metadata.name: team-a"),
        "{said}"
    );
}

#[test]
fn an_mcp_has_no_token_for_one_of_another_namespace_that_wants_one() {
    let mut wants = leaf("end", json!({"from": "All"}));
    wants["spec"]["auth"] = json!({"mode": "serviceAccount"});
    let others = [wants];
    let verdict = judge(&mcp("team-a", "one", &["team-b/end"]), &others);
    let said = lines(&verdict.errors).join("\n");
    assert!(
        said.contains("MCP \"team-b/end\" wants tokens of ServiceAccounts"),
        "{said}"
    );
    // Within its namespace it is not called.
    let beside = judge(&mcp("team-b", "one", &["team-b/end"]), &others);
    assert_eq!(lines(&beside.errors), [""; 0]);
}
