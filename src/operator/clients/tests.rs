//! Who is granted, and when a key is handed out.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use agentkube_crds::{Agent, Kind};
use agentkube_plan::{KeyHash, PlanDigest};
use agentkube_webhooks::{FileIndex, TargetRef};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::shapes::{PodShape, SecretShape};
use crate::testing::{agent, gateway, mcp, typed};

fn target() -> TargetRef {
    TargetRef {
        kind: Kind::LLMGateway,
        namespace: "platform".to_owned(),
        name: "shared-gateway".to_owned(),
    }
}

fn index(allowed: Value, namespace: Value) -> FileIndex {
    let mut gateway = gateway();
    gateway["spec"]["allowedNamespaces"] = allowed;
    FileIndex::from_objects([&gateway, &mcp(), &namespace])
}

fn all() -> FileIndex {
    index(json!({ "from": "All" }), namespace(json!({}), json!({})))
}

fn namespace(labels: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "apps", "labels": labels, "annotations": annotations },
    })
}

fn pod(labels: Value, annotations: Value) -> Arc<PodShape> {
    Arc::new(typed(json!({
        "metadata": { "name": "p", "namespace": "apps", "labels": labels, "annotations": annotations },
        "spec": { "serviceAccountName": "worker" },
    })))
}

fn wired() -> Arc<PodShape> {
    pod(
        json!({ "agentkube.io/wire": "true" }),
        json!({ "agentkube.io/llm-gateway": "platform/shared-gateway" }),
    )
}

fn key_secret(namespace: &str, client: &str, owner: Value) -> Arc<SecretShape> {
    Arc::new(typed(json!({
        "metadata": {
            "name": secret_name(client, &target()), "namespace": namespace, "uid": "u",
            "annotations": {
                "agentkube.io/client": client,
                "agentkube.io/target": "llmgateway/platform/shared-gateway",
            },
            "ownerReferences": [owner],
        },
    })))
}

fn owner(kind: &str, name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "name": name, "uid": "o" })
}

fn grants(
    index: &FileIndex,
    pods: &[Arc<PodShape>],
    agents: &[Arc<Agent>],
    secrets: &[Arc<SecretShape>],
) -> Grants {
    Grants::of(
        &target(),
        &Sources {
            lookup: index,
            pods,
            agents,
            mcps: &[],
            secrets,
        },
    )
}

fn clients(grants: &Grants) -> Vec<&str> {
    grants.minted.keys().map(String::as_str).collect()
}

#[test]
fn a_wired_pod_makes_its_service_account_a_client() {
    assert_eq!(
        clients(&grants(&all(), &[wired()], &[], &[])),
        ["apps/worker"]
    );
    let unwired = pod(
        json!({}),
        json!({ "agentkube.io/llm-gateway": "platform/shared-gateway" }),
    );
    assert!(clients(&grants(&all(), &[unwired], &[], &[])).is_empty());
}

#[test]
fn what_a_webhook_once_wrote_is_no_evidence() {
    let forged = pod(
        json!({ "agentkube.io/wire": "true" }),
        json!({ "agentkube.io/wired-by": "llmgateway platform/shared-gateway" }),
    );
    assert!(clients(&grants(&all(), &[forged], &[], &[])).is_empty());
}

#[test]
fn a_pod_that_the_target_does_not_admit_is_no_client() {
    let closed = index(json!({ "from": "Same" }), namespace(json!({}), json!({})));
    assert!(clients(&grants(&closed, &[wired()], &[], &[])).is_empty());
    let selector = json!({ "from": "Selector", "selector": { "matchLabels": { "tier": "gold" } } });
    let gold = index(
        selector.clone(),
        namespace(json!({ "tier": "gold" }), json!({})),
    );
    assert_eq!(
        clients(&grants(&gold, &[wired()], &[], &[])),
        ["apps/worker"]
    );
    let iron = index(selector, namespace(json!({ "tier": "iron" }), json!({})));
    assert!(clients(&grants(&iron, &[wired()], &[], &[])).is_empty());
}

#[test]
fn a_wired_namespace_wires_pods_that_do_not_object() {
    let facts = namespace(
        json!({ "agentkube.io/wire": "true" }),
        json!({ "agentkube.io/llm-gateway": "platform/shared-gateway" }),
    );
    let index = index(json!({ "from": "All" }), facts);
    let (silent, objects) = (
        pod(json!({}), json!({})),
        pod(json!({ "agentkube.io/wire": "false" }), json!({})),
    );
    assert_eq!(
        clients(&grants(&index, &[silent], &[], &[])),
        ["apps/worker"]
    );
    assert!(clients(&grants(&index, &[objects], &[], &[])).is_empty());
}

#[test]
fn an_agent_is_a_client_while_it_refers_to_the_target() {
    let referring: Arc<Agent> = Arc::new(typed(agent()));
    let found = grants(&all(), &[], &[referring], &[]);
    assert_eq!(
        found.minted["team-a/reviewer"],
        ClientOwner::Agent("reviewer".to_owned())
    );
    let mut value = agent();
    value["spec"]
        .as_object_mut()
        .unwrap()
        .remove("llmGatewayRef");
    let other: Arc<Agent> = Arc::new(typed(value));
    let key = key_secret("team-a", "team-a/reviewer", owner("Agent", "reviewer"));
    let found = grants(&all(), &[], &[other], &[Arc::clone(&key)]);
    assert!(found.minted.is_empty());
    assert_eq!(
        found.ended,
        [("team-a".to_owned(), key.metadata.name.clone().unwrap())]
    );
}

#[test]
fn a_service_account_keeps_its_key_without_pods_but_not_without_the_grant() {
    let key = key_secret("apps", "apps/worker", owner("ServiceAccount", "worker"));
    assert_eq!(
        clients(&grants(&all(), &[], &[], &[Arc::clone(&key)])),
        ["apps/worker"]
    );
    let closed = index(json!({ "from": "Same" }), namespace(json!({}), json!({})));
    assert_eq!(grants(&closed, &[], &[], &[key]).ended.len(), 1);
}

#[test]
fn a_secret_that_only_looks_like_a_key_is_left_alone() {
    let closed = index(json!({ "from": "Same" }), namespace(json!({}), json!({})));
    for foreign in [
        key_secret("apps", "apps/worker", owner("Deployment", "worker")),
        key_secret("apps", "apps/worker", owner("ServiceAccount", "somebody")),
        key_secret(
            "elsewhere",
            "apps/worker",
            owner("ServiceAccount", "worker"),
        ),
    ] {
        let found = grants(&closed, &[], &[], &[Arc::clone(&foreign)]);
        assert!(
            found.ended.is_empty() && found.minted.is_empty(),
            "{foreign:?}"
        );
    }
    let mut renamed =
        (*key_secret("apps", "apps/worker", owner("ServiceAccount", "worker"))).clone();
    renamed.metadata.name = Some("agentkube-key-0000000000000000".to_owned());
    assert!(
        minted_for(&renamed.metadata).is_none(),
        "the name is part of the proof"
    );
}

#[test]
fn labelled_secrets_count_only_in_the_targets_namespace() {
    let labelled = |namespace: &str, name: &str, of: &str| -> Arc<SecretShape> {
        Arc::new(typed(json!({
            "metadata": { "name": name, "namespace": namespace, "labels": { "agentkube.io/client-of": of } },
        })))
    };
    let secrets = [
        labelled("platform", "b", "llmgateway.shared-gateway"),
        labelled("platform", "a", "shared-gateway"),
        labelled("platform", "c", "mcp.shared-gateway"),
        labelled("apps", "d", "shared-gateway"),
    ];
    assert_eq!(grants(&all(), &[], &[], &secrets).labelled, ["a", "b"]);
}

fn ledger_with(client: &str) -> Ledger {
    let mut ledger = Ledger::default();
    settle(&mut ledger, &[client]);
    ledger
}

fn settle(ledger: &mut Ledger, waiting: &[&str]) {
    let waiting: BTreeSet<String> = waiting.iter().map(|it| (*it).to_owned()).collect();
    let mut number = 0;
    let mint = || {
        number += 1;
        Ok::<_, Infallible>(SecretString::from(format!(
            "key-number-{number}-of-this-test"
        )))
    };
    ledger.settle(&waiting, mint).unwrap();
}

fn write(ledger: &mut Ledger) -> String {
    let bytes = serde_json::to_vec(&ledger.table(&BTreeMap::new())).unwrap();
    let digest = PlanDigest::of(&bytes);
    ledger.written(&digest);
    digest.to_string()
}

#[tokio::test]
async fn a_key_is_handed_out_only_when_every_ready_replica_knows_it() {
    let mut ledger = ledger_with("a/x");
    assert!(ledger.releasable(&[]).is_empty(), "not in any table yet");
    let digest = write(&mut ledger);
    let (old, new) = (Some("sha256:old".to_owned()), Some(digest));
    assert!(ledger.releasable(&[new.clone(), old]).is_empty());
    assert!(
        ledger.releasable(&[new.clone(), None]).is_empty(),
        "a replica without an answer"
    );
    assert_eq!(ledger.releasable(&[new.clone(), new]).len(), 1);
    assert_eq!(
        ledger.releasable(&[]).len(),
        1,
        "at once when none is ready"
    );
}

#[tokio::test]
async fn other_clients_do_not_delay_a_key_that_replicas_know() {
    let mut ledger = ledger_with("a/x");
    let first = write(&mut ledger);
    settle(&mut ledger, &["a/x", "b/y"]);
    let second = write(&mut ledger);
    assert_ne!(first, second);
    let released = ledger.releasable(&[Some(first)]);
    assert_eq!(
        released
            .iter()
            .map(|it| it.client.as_str())
            .collect::<Vec<_>>(),
        ["a/x"]
    );
    assert_eq!(ledger.releasable(&[Some(second)]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_handed_out_once_and_stays_the_same_until_its_secret_is_seen() {
    let mut ledger = ledger_with("a/x");
    let digest = write(&mut ledger);
    let before = ledger.table(&BTreeMap::new());
    ledger.handed("a/x");
    settle(&mut ledger, &["a/x"]);
    assert_eq!(
        ledger.table(&BTreeMap::new()),
        before,
        "the watch is behind"
    );
    assert!(ledger.releasable(&[Some(digest.clone())]).is_empty() && !ledger.is_waiting());
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    assert_eq!(
        ledger.releasable(&[Some(digest)]).len(),
        1,
        "it was deleted at once"
    );
    settle(&mut ledger, &[]);
    assert!(
        ledger.table(&BTreeMap::new()).clients.is_empty(),
        "its Secret speaks for it now"
    );
}

#[test]
fn a_table_is_sorted_and_has_no_client_without_a_key() {
    let known = BTreeMap::from([
        ("b".to_owned(), vec![KeyHash::of(b"b")]),
        ("a".to_owned(), vec![KeyHash::of(b"a")]),
        ("c".to_owned(), vec![]),
    ]);
    let table = Ledger::default().table(&known);
    assert_eq!(
        table
            .clients
            .iter()
            .map(|it| it.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn minted_keys_differ_and_are_not_printed() {
    use secrecy::ExposeSecret as _;
    let (one, two) = (mint().unwrap(), mint().unwrap());
    assert_ne!(one.expose_secret(), two.expose_secret());
    assert!(one.expose_secret().starts_with("agk-") && one.expose_secret().len() == 47);
    let mut ledger = ledger_with("a/x");
    write(&mut ledger);
    assert!(!format!("{ledger:?}").contains("key-number"));
}

#[test]
fn an_mcp_is_a_client_of_those_that_it_calls_in_other_namespaces() {
    let mcp = |namespace: &str, name: &str, upstreams: Value| {
        json!({
            "apiVersion": "agentkube.io/v1alpha1", "kind": "MCP",
            "metadata": { "name": name, "namespace": namespace },
            "spec": { "upstreams": upstreams, "allowedNamespaces": { "from": "All" } },
        })
    };
    let reference = json!([{ "name": "t", "kind": "mcpRef", "mcpRef": { "name": "tools", "namespace": "platform" } }]);
    let target = TargetRef {
        kind: Kind::MCP,
        namespace: "platform".to_owned(),
        name: "tools".to_owned(),
    };
    let objects = [
        mcp(
            "platform",
            "tools",
            json!([{ "name": "x", "kind": "http", "endpoint": "http://x" }]),
        ),
        mcp("apps", "all", reference.clone()),
        mcp("platform", "all", reference),
    ];
    let index = FileIndex::from_objects(&objects);
    let mcps: Vec<_> = objects
        .iter()
        .map(|it| Arc::new(crate::testing::typed(it.clone())))
        .collect();
    let sources = Sources {
        lookup: &index,
        pods: &[],
        agents: &[],
        mcps: &mcps,
        secrets: &[],
    };
    let grants = Grants::of(&target, &sources);
    let minted: Vec<_> = grants.minted.into_iter().collect();
    assert_eq!(
        minted,
        [("apps/all".to_owned(), ClientOwner::Mcp("all".to_owned()))],
        "within a namespace it stands in for the other one"
    );
}
