//! What `deploy/` says in YAML and what the code says must be the same: names,
//! ports, arguments, variables, rights.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agentkube_crds::{GROUP, Kind};
use agentkube_operator::{CA_SECRET, Options, SERVICE_PORT, WebhookEndpoint};
use agentkube_webhooks::config::CONFIGURATION;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files of a folder, in the order in which kubectl applies them.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    files
}

fn documents(folder: &str) -> Vec<Value> {
    let texts = files(folder)
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let texts: Vec<_> = texts.collect();
    let documents = texts.iter().flat_map(|text| text.split("\n---\n"));
    documents
        .map(|text| serde_saphyr::from_str(text).unwrap())
        .collect()
}

/// The only object of that kind in `deploy/manifests`.
fn the(kind: &str) -> Value {
    let mut found = documents("deploy/manifests");
    found.retain(|object| object["kind"] == kind);
    assert_eq!(found.len(), 1, "one {kind}");
    found.remove(0)
}

fn pod() -> Value {
    the("Deployment")["spec"]["template"].clone()
}

fn container() -> Value {
    let containers = pod()["spec"]["containers"].as_array().unwrap().clone();
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

/// The number of the container's port of that name.
fn port(name: &Value) -> Value {
    let container = container();
    let ports = container["ports"].as_array().unwrap();
    let port = ports.iter().find(|port| port["name"] == *name);
    port.unwrap_or_else(|| panic!("no port {name}"))["containerPort"].clone()
}

fn help() -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_agentkube"))
        .args(["operator", "--help"])
        .output()
        .unwrap();
    let text = String::from_utf8(program.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rules of both roles: groups, resources, names, verbs.
fn rules() -> Vec<Value> {
    let roles = [the("ClusterRole"), the("Role")];
    let rules = roles
        .iter()
        .flat_map(|role| role["rules"].as_array().unwrap());
    rules.cloned().collect()
}

/// A rule on resources names no paths, and one on paths no resources.
fn has(list: &Value, word: &str) -> bool {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.contains(&json!(word))
}

fn may(verb: &str, group: &str, resource: &str) -> bool {
    rules().iter().any(|rule| {
        has(&rule["verbs"], verb)
            && has(&rule["apiGroups"], group)
            && has(&rule["resources"], resource)
    })
}

#[test]
fn the_command_line_has_the_defaults_of_the_library() {
    let options = Options::default();
    let WebhookEndpoint::Service { name } = options.webhook_endpoint else {
        panic!("the default is a Service");
    };
    let help = help();
    for (flag, value) in [
        ("--image", options.image),
        ("--namespace", options.namespace),
        ("--webhook-listen", options.webhook_listen.to_string()),
        ("--webhook-service", name),
        ("--admin", options.admin_listen.to_string()),
        ("--cluster-role", options.cluster_role.unwrap()),
        ("--cluster-domain", options.cluster_domain),
    ] {
        let (_, text) = help.split_once(&format!("{flag} <")).unwrap();
        let text = text.split(" --").next().unwrap();
        assert!(
            text.contains(&format!("[default: {value}]")),
            "{flag}: {text}"
        );
    }
}

#[test]
fn the_api_server_finds_the_webhooks_behind_their_service() {
    let (service, options) = (the("Service"), Options::default());
    let endpoint = WebhookEndpoint::Service {
        name: service["metadata"]["name"].as_str().unwrap().to_owned(),
    };
    assert_eq!(options.webhook_endpoint, endpoint);
    let port_of_service = &service["spec"]["ports"][0];
    assert_eq!(port_of_service["port"], SERVICE_PORT);
    let target = port(&port_of_service["targetPort"]);
    assert_eq!(target, options.webhook_listen.port());
}

#[test]
fn what_selects_pods_selects_the_operators() {
    let labels = &pod()["metadata"]["labels"];
    let budget = the("PodDisruptionBudget");
    for selector in [
        &the("Service")["spec"]["selector"],
        &the("Deployment")["spec"]["selector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
        &pod()["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ] {
        let selector = selector.as_object().unwrap();
        assert!(!selector.is_empty());
        for (key, value) in selector {
            assert_eq!(labels[key], *value, "{key}");
        }
    }
}

#[test]
fn probes_ask_the_admin_server() {
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        let get = &container()[probe]["httpGet"];
        assert_eq!(get["path"], path);
        assert_eq!(port(&get["port"]), Options::default().admin_listen.port());
    }
}

#[test]
fn the_pod_is_told_what_the_command_line_knows() {
    let (container, help) = (container(), help());
    assert_eq!(container["args"], json!(["operator"]));
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(help.contains(&format!("[env: {name}=")), "{name}");
        if name == "AGENTKUBE_IMAGE" {
            assert_eq!(
                variable["value"], container["image"],
                "data planes run our own image"
            );
        }
    }
}

#[test]
fn everything_lives_in_one_namespace() {
    let namespace = Value::from(Options::default().namespace);
    assert_eq!(the("Namespace")["metadata"]["name"], namespace);
    for object in documents("deploy/manifests") {
        let place = &object["metadata"]["namespace"];
        assert!(*place == namespace || place.is_null(), "{object}");
    }
}

#[test]
fn the_roles_are_bound_to_the_account_of_the_pod() {
    let account = pod()["spec"]["serviceAccountName"].clone();
    assert_eq!(the("ServiceAccount")["metadata"]["name"], account);
    for kind in ["ClusterRole", "Role"] {
        let binding = the(&format!("{kind}Binding"));
        assert_eq!(binding["roleRef"]["kind"], kind);
        assert_eq!(binding["roleRef"]["name"], the(kind)["metadata"]["name"]);
        let namespace = Options::default().namespace;
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace});
        assert_eq!(binding["subjects"], json!([subject]));
    }
}

#[test]
fn the_cluster_role_owns_the_webhook_configurations() {
    let name = the("ClusterRole")["metadata"]["name"].clone();
    assert_eq!(
        Options::default().cluster_role.map(Value::from),
        Some(name.clone())
    );
    let named = |resource: &str| {
        let mut rules = rules();
        rules.retain(|rule| has(&rule["resources"], resource) && has(&rule["verbs"], "get"));
        rules[0]["resourceNames"].clone()
    };
    assert_eq!(named("clusterroles"), json!([name]));
    assert_eq!(
        named("mutatingwebhookconfigurations"),
        json!([CONFIGURATION])
    );
    assert_eq!(
        named("validatingwebhookconfigurations"),
        json!([CONFIGURATION])
    );
}

#[test]
fn secrets_are_updated_only_where_the_ca_is() {
    let mut rules = rules();
    rules.retain(|rule| has(&rule["resources"], "secrets") && has(&rule["verbs"], "update"));
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["resourceNames"], json!([CA_SECRET]));
}

#[test]
fn rights_are_spelled_out() {
    for rule in rules() {
        for list in ["apiGroups", "resources", "verbs"] {
            assert!(!has(&rule[list], "*"), "{rule}");
        }
    }
    assert!(
        !may("patch", "", "pods"),
        "pods are nudged through their status"
    );
    assert!(!may("create", "", "pods"));
}

#[test]
fn the_rights_cover_every_kind_that_is_reconciled() {
    let installed: BTreeSet<String> = documents("crds/yaml")
        .iter()
        .map(|crd| crd["spec"]["names"]["plural"].as_str().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> = Kind::ALL
        .iter()
        .map(|kind| kind.plural().to_owned())
        .collect();
    assert_eq!(installed, known);
    // An AgentPolicy is refused whole: there is nothing to reconcile.
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::AgentPolicy)
    {
        let plural = kind.plural();
        for verb in ["get", "list", "watch"] {
            assert!(may(verb, GROUP, plural), "{verb} {plural}");
        }
        assert!(may("patch", GROUP, &format!("{plural}/status")));
        // blockOwnerDeletion on children asks for it where
        // OwnerReferencesPermissionEnforcement is on.
        assert!(may("update", GROUP, &format!("{plural}/finalizers")));
    }
}

#[test]
fn the_pod_stays_within_the_restricted_standard() {
    let labels = &the("Namespace")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    let (pod, container) = (pod(), container());
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
}

#[test]
fn a_critical_pod_has_the_quota_that_some_clusters_ask_for() {
    let class = pod()["spec"]["priorityClassName"].clone();
    let scope = the("ResourceQuota")["spec"]["scopeSelector"]["matchExpressions"][0].clone();
    let wanted = json!({"scopeName": "PriorityClass", "operator": "In", "values": [class]});
    assert_eq!(scope, wanted);
}

#[test]
fn the_image_runs_as_the_user_of_the_pod() {
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let security = &pod()["spec"]["securityContext"];
    let user = format!("USER {}:{}", security["runAsUser"], security["runAsGroup"]);
    assert!(dockerfile.lines().any(|line| line == user), "{user}");
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(dockerfile.contains(&rust), "{rust}");
}
