//! What is missing is said; the plan is made all the same.

use agentkube_crds::{LLMGateway, MCP};
use agentkube_webhooks::FileIndex;
use serde_json::json;

mod flat;

use super::*;
use crate::testing::{gateway as gateway_manifest, mcp as mcp_manifest, typed};

fn checked() -> CheckedGateway {
    typed::<LLMGateway>(gateway_manifest()).parse().unwrap()
}

fn with(key: Option<&str>) -> FileIndex {
    let secret = key.map(|key| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "anthropic-key", "namespace": "platform" },
            "stringData": { key: "sk-value" },
        })
    });
    FileIndex::from_objects(secret.iter())
}

#[test]
fn a_missing_secret_is_named_and_the_plan_is_the_same() {
    let (none, other, all) = (
        gateway(&checked(), &with(None)),
        gateway(&checked(), &with(Some("token"))),
        gateway(&checked(), &with(Some("api-key"))),
    );
    assert_eq!(none.missing[0].reason(), "SecretNotFound");
    assert_eq!(other.missing[0].reason(), "SecretKeyNotFound");
    assert!(all.missing.is_empty());
    assert_eq!(none.plan, all.plan);
    assert_eq!(none.secrets, all.secrets);
    let said = none.missing[0].to_string();
    assert!(
        said.contains("anthropic-key") && said.contains("api-key"),
        "{said}"
    );
}

#[test]
fn a_secret_of_another_namespace_does_not_count() {
    let elsewhere = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "anthropic-key", "namespace": "team-a" }, "data": { "api-key": "eA==" },
    });
    let index = FileIndex::from_objects([&elsewhere]);
    assert_eq!(gateway(&checked(), &index).missing.len(), 1);
}

#[test]
fn a_plan_holds_no_value_of_a_secret() {
    let resolution = gateway(&checked(), &with(Some("api-key")));
    let text = serde_json::to_string(&resolution.plan).unwrap();
    assert!(!text.contains("sk-value") && text.contains("anthropic-key"));
}

#[test]
fn an_mcp_names_the_secrets_of_its_upstreams_and_of_its_sessions() {
    let checked = typed::<MCP>(mcp_manifest()).parse().unwrap();
    let resolution = mcp(&checked, &FileIndex::default(), Hops::Keyed);
    let entries = resolution.secrets.iter();
    let entries: Vec<_> = entries
        .map(|entry| (entry.name.as_str(), entry.key.as_str()))
        .collect();
    let keys = "github-tools-mcp-sessions";
    assert_eq!(
        entries,
        [
            (keys, "current"),
            (keys, "next"),
            (keys, "previous"),
            ("github-upstream-pat", "token")
        ]
    );
    assert_eq!(resolution.missing.len(), 1, "ours is made with the Pods");
    assert_eq!(resolution.missing[0].upstream, "github");
}
