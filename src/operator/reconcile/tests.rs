//! Whole reconciliations: real client, real stores, a fake API server, and a
//! replica on loopback that reports what it serves.

use std::sync::{Arc, Mutex};

use agentkube_plan::{DigestReport, LoadedDigest, PlanDigest, UpstreamReport};
use axum::{Json, Router, routing::get};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::digest::DigestReader;
use super::pod_port::PodPort;
use super::{Context, agent, gateway, mcp, sweep};
use crate::Options;
use crate::metrics::Metrics;
use crate::render::Settings;
use crate::stores::Stores;
use crate::testing::{self, FakeApi};

mod client_keys;
mod pins;
mod session_keys;
mod supervised;
mod tokens;

const GATEWAY: &str = "/apis/agentkube.io/v1alpha1/namespaces/platform/llmgateways/shared-gateway";
const MCP: &str = "/apis/agentkube.io/v1alpha1/namespaces/team-a/mcps/github-tools";
const AGENT: &str = "/apis/agentkube.io/v1alpha1/namespaces/team-a/agents/reviewer";
const CONFIG_MAP: &str = "/api/v1/namespaces/platform/configmaps/shared-gateway-llm";
const TABLE: &str = "/api/v1/namespaces/platform/secrets/shared-gateway-llm-clients";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/platform/deployments/shared-gateway-llm";
const REPLICA: &str = "/api/v1/namespaces/platform/pods/shared-gateway-llm-0";
/// printf 'apps/worker\nllmgateway/platform/shared-gateway' | sha256sum
const KEY: &str = "/api/v1/namespaces/apps/secrets/agentkube-key-94619ab92afeb90c";

/// An operator that has just started: it knows what the API server has.
struct Fresh {
    ctx: Arc<Context>,
    _watches: JoinSet<()>,
}

impl Fresh {
    async fn on(api: &FakeApi, admin_port: u16) -> Self {
        Self::installed(api, admin_port, &Options::default()).await
    }

    async fn installed(api: &FakeApi, admin_port: u16, options: &Options) -> Self {
        let (stores, tasks) = Stores::start(&api.client());
        let mut watches = JoinSet::new();
        for task in tasks {
            watches.spawn(task);
        }
        stores.fill().await;
        let recorder = Recorder::new(api.client(), Reporter::from("test"));
        let metrics = Metrics::new(Registry::default());
        let settings = Settings::from(options);
        let mut ctx = Context::new(api.client(), stores, settings, recorder, metrics);
        ctx.digests = DigestReader::new(admin_port);
        ctx.runs = PodPort::new(admin_port);
        Self {
            ctx: Arc::new(ctx),
            _watches: watches,
        }
    }

    async fn gateway(&self) {
        let key = ObjectRef::new("shared-gateway").within("platform");
        let object = self.ctx.stores.gateways.get(&key).unwrap();
        gateway::reconcile(object, Arc::clone(&self.ctx))
            .await
            .unwrap();
    }

    async fn mcp(&self) {
        let object = self
            .ctx
            .stores
            .mcps
            .get(&ObjectRef::new("github-tools").within("team-a"));
        mcp::reconcile(object.unwrap(), Arc::clone(&self.ctx))
            .await
            .unwrap();
    }

    async fn agent(&self) {
        let object = self
            .ctx
            .stores
            .agents
            .get(&ObjectRef::new("reviewer").within("team-a"));
        agent::reconcile(object.unwrap(), Arc::clone(&self.ctx))
            .await
            .unwrap();
    }
}

/// One look by an operator that has just started.
async fn look(api: &FakeApi, port: u16) {
    Fresh::on(api, port).await.gateway().await;
}

fn api_with_gateway() -> FakeApi {
    let api = FakeApi::default();
    let mut gateway = testing::gateway();
    gateway["spec"]["allowedNamespaces"] = json!({ "from": "All" });
    api.put(GATEWAY, gateway);
    api
}

fn condition(api: &FakeApi, path: &str, type_: &str) -> (String, String) {
    let object = api.get(path).unwrap();
    let all = object["status"]["conditions"].as_array().unwrap().clone();
    let found = all
        .iter()
        .find(|it| it["type"] == type_)
        .unwrap_or_else(|| panic!("{all:?}"));
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("status"), text("reason"))
}

/// A replica: what it reports can be changed.
#[derive(Clone)]
struct Replica(Arc<Mutex<Option<DigestReport>>>);

impl Replica {
    async fn start(tasks: &mut JoinSet<()>) -> (Self, u16) {
        let replica = Self(Arc::default());
        let shared = replica.clone();
        let app = Router::new().route(
            "/digest",
            get(move || async move { Json(shared.0.lock().unwrap().clone()) }),
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        (replica, port)
    }

    fn serves(&self, plan: &PlanDigest, clients: Option<&PlanDigest>) {
        let loaded = |digest: &PlanDigest| LoadedDigest {
            digest: digest.clone(),
            rejected: None,
        };
        *self.0.lock().unwrap() = Some(DigestReport {
            plan: loaded(plan),
            clients: clients.map(loaded),
            upstreams: vec![UpstreamReport {
                models: Vec::new(),
                name: "anthropic".to_owned(),
                credentials: true,
                reachable: Some(true),
                era: None,
                tools: None,
                unmatched_patterns: Vec::new(),
                unpinned: Vec::new(),
                unpinned_cut: false,
                message: None,
            }],
        });
    }
}

fn add_replica(api: &FakeApi) {
    api.put(
        REPLICA,
        json!({
            "metadata": {
                "name": "shared-gateway-llm-0", "namespace": "platform",
                "labels": {
                    "app.kubernetes.io/managed-by": "agentkube",
                    "agentkube.io/llmgateway": "shared-gateway",
                },
            },
            "status": {
                "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": "True" }],
            },
        }),
    );
}

fn add_wired_pod(api: &FakeApi) {
    api.put(
        "/api/v1/namespaces/apps",
        json!({ "metadata": { "name": "apps" } }),
    );
    api.put(
        "/api/v1/namespaces/apps/serviceaccounts/worker",
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "worker", "namespace": "apps", "uid": "worker-uid" },
        }),
    );
    api.put(
        "/api/v1/namespaces/apps/pods/p",
        json!({
            "metadata": {
                "name": "p", "namespace": "apps", "labels": { "agentkube.io/wire": "true" },
                "annotations": { "agentkube.io/llm-gateway": "platform/shared-gateway" },
            },
            "spec": { "serviceAccountName": "worker" },
        }),
    );
}

fn plan_digest(api: &FakeApi) -> PlanDigest {
    let plan = api.get(CONFIG_MAP).unwrap()["data"]["plan.json"]
        .as_str()
        .unwrap()
        .to_owned();
    PlanDigest::of(plan.as_bytes())
}

fn table(api: &FakeApi) -> Vec<u8> {
    use base64::Engine as _;
    let data = api.get(TABLE).unwrap()["data"]["clients.json"]
        .as_str()
        .unwrap()
        .to_owned();
    base64::engine::general_purpose::STANDARD
        .decode(data)
        .unwrap()
}

#[tokio::test]
async fn an_unchanged_cluster_sees_no_write_after_a_restart() {
    let api = api_with_gateway();
    api.put(MCP, testing::mcp());
    api.put(AGENT, testing::agent());
    for first in [true, false] {
        let fresh = Fresh::on(&api, 1).await;
        fresh.gateway().await;
        fresh.mcp().await;
        fresh.agent().await;
        let writes = api.writes();
        if first {
            assert!(writes.len() > 15, "{writes:?}");
        } else {
            assert_eq!(writes, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_secret_that_comes_later_turns_the_condition_without_touching_the_gateway() {
    let api = api_with_gateway();
    look(&api, 1).await;
    assert_eq!(
        condition(&api, GATEWAY, "ResolvedRefs"),
        ("False".to_owned(), "SecretNotFound".to_owned())
    );
    assert!(api.get(DEPLOYMENT).is_some(), "it starts all the same");
    let plan = plan_digest(&api);
    api.put("/api/v1/namespaces/platform/secrets/anthropic-key", json!({
        "metadata": { "name": "anthropic-key", "namespace": "platform" }, "data": { "api-key": "eA==" },
    }));
    look(&api, 1).await;
    assert_eq!(condition(&api, GATEWAY, "ResolvedRefs").0, "True");
    assert_eq!(plan_digest(&api), plan);
}

#[tokio::test]
async fn of_several_pods_that_do_not_start_it_is_always_the_first_that_is_named() {
    let api = api_with_gateway();
    for number in 0..9 {
        let name = format!("shared-gateway-llm-{number}");
        let conditions = json!([
            { "type": "PodScheduled", "status": "False", "message": "no nodes" },
        ]);
        let (managed_by, us) = agentkube_crds::keys::MANAGED_BY;
        api.put(
            &format!("/api/v1/namespaces/platform/pods/{name}"),
            json!({
                "metadata": {
                    "name": name, "namespace": "platform",
                    "labels": { managed_by: us, "agentkube.io/llmgateway": "shared-gateway" },
                },
                "status": { "conditions": conditions },
            }),
        );
    }
    for _ in 0..5 {
        look(&api, 1).await;
        let said = api.get(GATEWAY).unwrap()["status"]["conditions"].to_string();
        assert!(
            said.contains("Pod shared-gateway-llm-0: not scheduled: no nodes"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn without_a_replica_it_is_not_programmed_and_says_why() {
    let api = api_with_gateway();
    look(&api, 1).await;
    assert_eq!(
        condition(&api, GATEWAY, "Programmed"),
        ("False".to_owned(), "NoReplicasReady".to_owned())
    );
    assert_eq!(
        condition(&api, GATEWAY, "Enforced"),
        ("False".to_owned(), "NotImplemented".to_owned())
    );
    let status = api.get(GATEWAY).unwrap()["status"].clone();
    assert_eq!(
        status["endpoint"],
        json!("http://shared-gateway-llm.platform.svc:8080")
    );
    assert_eq!(status["models"][3], json!("opus"));
    assert_eq!(status["summary"]["upstreams"], json!("0/1"));
}

#[tokio::test]
async fn it_is_programmed_only_when_the_replica_reports_this_plan() {
    let mut tasks = JoinSet::new();
    let (replica, port) = Replica::start(&mut tasks).await;
    let api = api_with_gateway();
    add_replica(&api);
    look(&api, port).await;
    assert_eq!(
        condition(&api, GATEWAY, "Programmed").1,
        "Unreachable",
        "it reports nothing yet"
    );
    replica.serves(&PlanDigest::of(b"an earlier plan"), None);
    look(&api, port).await;
    assert_eq!(condition(&api, GATEWAY, "Programmed").1, "Pending");
    replica.serves(&plan_digest(&api), None);
    look(&api, port).await;
    assert_eq!(condition(&api, GATEWAY, "Programmed").0, "True");
    assert_eq!(condition(&api, GATEWAY, "Ready").0, "True");
    let status = api.get(GATEWAY).unwrap()["status"].clone();
    assert_eq!(
        (&status["upstreams"][0]["state"], &status["readyReplicas"]),
        (&json!("Healthy"), &json!(1))
    );
}

#[tokio::test]
async fn a_changed_plan_nudges_the_replica_through_its_status() {
    let api = api_with_gateway();
    add_replica(&api);
    look(&api, 1).await;
    let sync = || api.get(REPLICA).unwrap()["metadata"]["annotations"]["agentkube.io/sync"].clone();
    let before = sync();
    assert!(before.is_string());
    api.writes();
    look(&api, 1).await;
    assert_eq!(
        (sync(), api.writes().len()),
        (before.clone(), 0),
        "nothing changed"
    );
    let mut changed = api.get(GATEWAY).unwrap();
    changed["spec"]["routing"]["modelMap"] = json!([]);
    api.put(GATEWAY, changed);
    look(&api, 1).await;
    assert_ne!(sync(), before);
    let nudges = api
        .writes()
        .into_iter()
        .filter(|write| write.contains("/pods/"));
    assert_eq!(
        nudges.collect::<Vec<_>>(),
        [format!("PATCH {REPLICA}/status")]
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_said_and_nothing_is_built_on_it() {
    let api = api_with_gateway();
    api.put(CONFIG_MAP, json!({
        "metadata": { "name": "shared-gateway-llm", "namespace": "platform" }, "data": { "a": "b" },
    }));
    look(&api, 1).await;
    assert_eq!(
        condition(&api, GATEWAY, "Programmed"),
        ("False".to_owned(), "NameTaken".to_owned())
    );
    assert_eq!(api.get(CONFIG_MAP).unwrap()["data"], json!({ "a": "b" }));
    assert!(api.get(DEPLOYMENT).is_none());
}

#[tokio::test]
async fn an_invalid_spec_leaves_what_is_served_alone() {
    let api = api_with_gateway();
    look(&api, 1).await;
    let plan = plan_digest(&api);
    let mut broken = api.get(GATEWAY).unwrap();
    broken["spec"]["routing"]["defaultModel"] = json!("gpt-9");
    api.put(GATEWAY, broken);
    api.writes();
    look(&api, 1).await;
    assert_eq!(
        condition(&api, GATEWAY, "Accepted"),
        ("False".to_owned(), "Invalid".to_owned())
    );
    assert_eq!(condition(&api, GATEWAY, "Programmed").1, "Invalid");
    assert_eq!(plan_digest(&api), plan);
    assert!(
        api.writes()
            .iter()
            .all(|write| write.ends_with("/status") || write.contains("/events"))
    );
}

#[tokio::test]
async fn an_object_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let api = api_with_gateway();
    let mut going = api.get(GATEWAY).unwrap();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    api.put(GATEWAY, going);
    look(&api, 1).await;
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn an_agent_without_an_image_runs_that_of_the_installation() {
    const SET: &str = "/apis/apps/v1/namespaces/team-a/statefulsets/reviewer";
    let api = FakeApi::default();
    let mut agent = testing::agent();
    agent["spec"].as_object_mut().unwrap().remove("image");
    api.put(AGENT, agent);
    api.put(MCP, testing::mcp());
    let mut gateway = testing::gateway();
    gateway["spec"]["allowedNamespaces"] = json!({ "from": "All" });
    api.put(GATEWAY, gateway);
    Fresh::on(&api, 1).await.agent().await;
    assert_eq!(condition(&api, AGENT, "Accepted").0, "False");
    let mut options = Options::default();
    let image = "registry.example/ours:2".to_owned();
    options
        .runtime_images
        .insert(agentkube_crds::agent::AgentRuntime::ClaudeCode, image);
    Fresh::installed(&api, 1, &options).await.agent().await;
    let set = api.get(SET).unwrap();
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example/ours:2");
}

#[tokio::test]
async fn an_agent_is_started_wired_or_not_at_all() {
    const SET: &str = "/apis/apps/v1/namespaces/team-a/statefulsets/reviewer";
    let api = FakeApi::default();
    api.put(AGENT, testing::agent());
    api.put(MCP, testing::mcp());
    Fresh::on(&api, 1).await.agent().await;
    assert_eq!(
        condition(&api, AGENT, "Wired"),
        ("False".to_owned(), "Refused".to_owned())
    );
    assert!(api.get(SET).is_none());
    let mut gateway = testing::gateway();
    gateway["spec"]["allowedNamespaces"] = json!({ "from": "All" });
    api.put(GATEWAY, gateway);
    Fresh::on(&api, 1).await.agent().await;
    assert_eq!(condition(&api, AGENT, "Wired").0, "True");
    let set = api.get(SET).unwrap();
    let env = set["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
    assert!(
        env.contains("ANTHROPIC_BASE_URL") && !env.contains("ANTHROPIC_API_KEY"),
        "{env}"
    );
    let wiring = api.get(AGENT).unwrap()["status"]["wiring"].clone();
    assert_eq!(
        wiring["mcp"][0]["url"],
        json!("http://github-tools-mcp.team-a.svc:8080/mcp")
    );
}
