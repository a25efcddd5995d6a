//! Goldens of every child, and what must hold for all of them.

use agentkube_crds::{Agent, LLMGateway, MCP};
use agentkube_plan::PlanDigest;
use agentkube_webhooks::FileIndex;
use serde_json::{Value, json};

use super::*;
use crate::resolve::{self, Hops};
use crate::testing::{agent, gateway, mcp, typed};

fn settings() -> Settings {
    Settings {
        image: "registry.example/agentkube:1".to_owned(),
        image_pull_policy: None,
        own_namespace: "agentkube-system".to_owned(),
        monitoring: Some(("purpose".to_owned(), "monitoring".to_owned())),
        runtime_images: BTreeMap::default(),
    }
}

fn of_gateway(value: Value) -> Desired {
    let gateway: LLMGateway = typed(value);
    let checked = gateway.parse().unwrap();
    let resolution = resolve::gateway(&checked, &FileIndex::default());
    let plan = serde_json::to_string(&resolution.plan).unwrap();
    data_plane(
        &settings(),
        &DataPlane {
            kind: Kind::LLMGateway,
            namespace: "platform",
            object: "shared-gateway",
            port: checked.port,
            replicas: checked.replicas,
            pod_template: gateway.spec.pod_template.as_ref(),
            digest: PlanDigest::of(plan.as_bytes()).to_string(),
            plan: &plan,
            secrets: &resolution.secrets,
            has_clients: checked.auth != agentkube_plan::ClientAuth::None,
            programs: &[],
            environment: None,
        },
    )
}

fn of_mcp() -> Desired {
    of_this_mcp(mcp())
}

fn of_this_mcp(mcp: Value) -> Desired {
    let mcp: MCP = typed(mcp);
    let checked = mcp.parse().unwrap();
    let resolution = resolve::mcp(&checked, &FileIndex::default(), Hops::Keyed);
    let plan = serde_json::to_string(&resolution.plan).unwrap();
    data_plane(
        &settings(),
        &DataPlane {
            kind: Kind::MCP,
            namespace: "team-a",
            object: "github-tools",
            port: checked.port,
            replicas: checked.replicas,
            pod_template: None,
            digest: PlanDigest::of(plan.as_bytes()).to_string(),
            plan: &plan,
            secrets: &resolution.secrets,
            has_clients: true,
            programs: &resolution.programs,
            environment: None,
        },
    )
}

fn bodies(desired: &Desired) -> Vec<&Value> {
    desired.children.iter().map(|child| &child.body).collect()
}

fn pod(desired: &Desired) -> Value {
    let set = desired
        .children
        .iter()
        .find(|child| child.kind == ChildKind::Deployment)
        .unwrap();
    set.body["spec"]["template"].clone()
}

#[test]
fn the_children_of_a_gateway() {
    insta::assert_yaml_snapshot!(bodies(&of_gateway(gateway())));
}

#[test]
fn the_children_of_an_mcp() {
    insta::assert_yaml_snapshot!(bodies(&of_mcp()));
}

#[test]
fn the_pod_of_an_mcp_with_a_program() {
    let mut mcp = mcp();
    mcp["spec"]["upstreams"] = json!([{
        "name": "files", "kind": "stdio",
        "stdio": {
            "image": "registry.example/files:1", "command": ["server-files"], "args": ["/data"],
            "env": [
                { "name": "MODE", "value": "read" },
                { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "files", "key": "token" } } },
            ],
        },
    }]);
    insta::assert_yaml_snapshot!(pod(&of_this_mcp(mcp)));
}

#[test]
fn the_children_of_an_agent() {
    let index = FileIndex::from_objects([&gateway_for_all(), &mcp()]);
    let agent: Agent = typed(agent());
    let checked = agent.parse().unwrap();
    let pod = agent_pod(&settings(), &checked, "registry.example/claude:1");
    let wired = crate::wiring::wire_pod(&checked, &pod, &index);
    assert!(wired.errors.is_empty(), "{:?}", wired.errors);
    insta::assert_yaml_snapshot!([
        agent_account(&checked).body,
        agent_set(&checked, &wired.pod, Replicas::One).body
    ]);
}

#[test]
fn the_stateful_set_of_an_agent_that_runs_once() {
    let index = FileIndex::from_objects([&gateway_for_all(), &mcp()]);
    let mut agent = agent();
    agent["spec"]["mode"] = json!("supervised");
    agent["spec"]["podTemplate"] = json!({ "resources": { "limits": { "memory": "1Gi" } } });
    let checked = typed::<Agent>(agent).parse().unwrap();
    let pod = agent_pod(&settings(), &checked, "registry.example/claude:1");
    let wired = crate::wiring::wire_pod(&checked, &pod, &index);
    let pod = supervised(&settings(), &wired.pod, "uid/1");
    let copies = pod["spec"]["initContainers"][0].to_string();
    assert!(
        !copies.contains("API_KEY"),
        "the agent's keys are the agent's: {copies}"
    );
    insta::assert_yaml_snapshot!(agent_set(&checked, &pod, Replicas::One).body);
}

fn gateway_for_all() -> Value {
    let mut gateway = gateway();
    gateway["spec"]["allowedNamespaces"] = json!({ "from": "All" });
    gateway
}

#[test]
fn every_child_has_the_labels_by_which_it_is_found() {
    for (desired, label, name) in [
        (
            of_gateway(gateway()),
            "agentkube.io/llmgateway",
            "shared-gateway",
        ),
        (of_mcp(), "agentkube.io/mcp", "github-tools"),
    ] {
        for child in &desired.children {
            let labels = &child.body["metadata"]["labels"];
            assert_eq!(labels[label], json!(name), "{}", child.kind.as_str());
            assert_eq!(labels["app.kubernetes.io/managed-by"], json!("agentkube"));
            assert_eq!(child.body["kind"], json!(child.kind.as_str()));
            assert_eq!(child.body["metadata"]["name"], json!(child.name));
        }
    }
}

#[test]
fn a_disruption_budget_is_there_only_with_several_replicas() {
    let budget = |desired: &Desired| {
        desired
            .children
            .iter()
            .any(|child| child.kind == ChildKind::PodDisruptionBudget)
    };
    assert!(!budget(&of_gateway(gateway())));
    assert_eq!(
        of_gateway(gateway()).unwanted[0].kind,
        ChildKind::PodDisruptionBudget
    );
    assert!(budget(&of_mcp()) && of_mcp().unwanted.is_empty());
}

#[test]
fn replicas_find_each_other_only_where_there_are_several() {
    let services = |children: &[Child]| {
        let services = children.iter().filter(|it| it.kind == ChildKind::Service);
        let names = services.map(|it| it.name.clone());
        names.collect::<Vec<_>>()
    };
    let several = of_mcp();
    assert_eq!(
        services(&several.children),
        ["github-tools-mcp", "github-tools-mcp-peers"]
    );
    let plan = |desired: &Desired| -> Value {
        let text = desired.children[0].body["data"]["plan.json"].as_str();
        serde_json::from_str(text.unwrap()).unwrap()
    };
    assert_eq!(
        plan(&several)["peers"],
        json!(["github-tools-mcp-peers.team-a.svc:9091"])
    );
    let mut single = mcp();
    single["spec"]["replicas"] = json!(1);
    let single = of_this_mcp(single);
    assert_eq!(services(&single.children), ["github-tools-mcp"]);
    assert_eq!(services(&single.unwanted), ["github-tools-mcp-peers"]);
    assert_eq!(plan(&single).get("peers"), None);
}

#[test]
fn nothing_secret_is_needed_for_a_start_and_nothing_is_in_the_config_map() {
    let desired = of_gateway(gateway());
    let volumes = pod(&desired)["spec"]["volumes"].clone();
    let secrets = volumes[3]["projected"]["sources"].clone();
    assert_eq!(volumes[1]["configMap"]["optional"], json!(true));
    assert_eq!(volumes[2]["secret"]["optional"], json!(true));
    assert_eq!(secrets[0]["secret"]["optional"], json!(true));
    assert_eq!(
        secrets[0]["secret"]["items"][0]["path"],
        json!("anthropic-key/api-key")
    );
    let mut open = gateway();
    open["spec"]["auth"]["mode"] = json!("none");
    let names: Vec<_> = pod(&of_gateway(open))["spec"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| volume["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["plan", "capabilities", "secrets"],
        "without keys there is no client table"
    );
}

#[test]
fn the_users_template_is_merged_below_ours() {
    let mut value = gateway();
    value["spec"]["podTemplate"] = json!({
        "labels": { "team": "x", "agentkube.io/wire": "true", "app.kubernetes.io/managed-by": "me" },
        "annotations": { "note": "y" },
        "nodeSelector": { "disk": "ssd" },
        "tolerations": [{ "key": "gpu", "operator": "Exists" }],
        "affinity": { "podAntiAffinity": {} },
        "serviceAccountName": "identity",
        "resources": { "limits": { "cpu": 2, "memory": "1Gi" } },
    });
    let pod = pod(&of_gateway(value));
    let labels = &pod["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["agentkube.io/wire"]),
        (&json!("x"), &json!("false"))
    );
    assert_eq!(labels["app.kubernetes.io/managed-by"], json!("agentkube"));
    assert_eq!(pod["metadata"]["annotations"]["note"], json!("y"));
    let spec = &pod["spec"];
    assert_eq!(spec["nodeSelector"]["disk"], json!("ssd"));
    assert_eq!(spec["tolerations"][0]["key"], json!("gpu"));
    assert_eq!(spec["serviceAccountName"], json!("identity"));
    assert_eq!(
        spec["containers"][0]["resources"],
        json!({"limits": {"cpu": 2, "memory": "1Gi"}})
    );
    assert!(
        spec.get("topologySpreadConstraints").is_none(),
        "the user's affinity stands alone"
    );
}

#[test]
fn an_agent_that_waits_has_no_pod_and_a_goal_is_not_expanded() {
    let mut value = agent();
    value["spec"]["paused"] = json!(true);
    let checked = typed::<Agent>(value).parse().unwrap();
    let pod = agent_pod(&settings(), &checked, "x");
    let set = agent_set(&checked, &pod, Replicas::None);
    assert_eq!(set.body["spec"]["replicas"], json!(0));
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let goal = env
        .iter()
        .find(|it| it["name"] == "AGENTKUBE_GOAL")
        .unwrap();
    assert_eq!(goal["value"], json!("Review $$(HOME) for $$5"));
}

#[test]
fn a_variable_of_the_user_replaces_ours_and_stays_single() {
    let mut value = agent();
    value["spec"]["env"] = json!([{ "name": "HOME", "value": "/work" }]);
    value["spec"]["command"] = json!(["run-it"]);
    let checked = typed::<Agent>(value).parse().unwrap();
    let pod = agent_pod(&settings(), &checked, "x");
    let container = &pod["spec"]["containers"][0];
    let homes: Vec<_> = container["env"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["name"] == "HOME")
        .collect();
    assert_eq!(homes, [&json!({ "name": "HOME", "value": "/work" })]);
    assert_eq!(container["command"], json!(["run-it"]));
    assert!(
        container.get("args").is_none(),
        "the goal is in the environment"
    );
}
