//! The Deployment of a data plane.

use std::collections::BTreeMap;

use agentkube_crds::{Kind, keys, names};
use agentkube_plan::{ADMIN_PORT, RELAY_PORT, TRAFFIC_PORT};
use serde_json::{Value, json};

use super::pod::{container_security, metadata, pod_security, resources, scheduling};
use super::{Child, ChildKind, DataPlane, Settings, programs};

/// Where the plan, the client table and the credentials are mounted.
const PLAN_ROOT: &str = "/etc/agentkube";
/// The ConfigMap of a namespace that says what models take, where they take something
/// else than a build knows.
const CAPABILITIES: &str = "agentkube-capabilities";
/// Endpoints are taken out of Services while a Pod that ends still serves.
const SETTLE_SECONDS: u32 = 5;
/// Time for answers under way, after [`SETTLE_SECONDS`].
const GRACE_SECONDS: u32 = 90;

pub(super) fn deployment(settings: &Settings, plane: &DataPlane<'_>) -> Child {
    let mut labels = names::labels(plane.kind, plane.object);
    // In a wired namespace the webhook would wire the gateway to itself.
    labels.insert(keys::WIRE.to_owned(), "false".to_owned());
    let environment = plane.environment.map(str::to_owned);
    let notes = environment.map(|value| (keys::ENVIRONMENT.to_owned(), value));
    let metadata = metadata(plane.pod_template, labels, notes.into_iter().collect());
    plane.child(
        ChildKind::Deployment,
        plane.child_name(),
        json!({
            "spec": {
                "replicas": plane.replicas,
                "revisionHistoryLimit": 3,
                "selector": { "matchLabels": plane.selector() },
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 },
                },
                "template": { "metadata": metadata, "spec": pod_spec(settings, plane) },
            },
        }),
    )
}

fn pod_spec(settings: &Settings, plane: &DataPlane<'_>) -> Value {
    let own_account = plane.child_name();
    let account = plane
        .pod_template
        .and_then(|template| template.service_account_name.as_deref())
        .unwrap_or(&own_account);
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "containers": [container(settings, plane)],
        "enableServiceLinks": false,
        "securityContext": pod_security(),
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": SETTLE_SECONDS + GRACE_SECONDS,
        "volumes": volumes(plane),
    });
    let init = programs::init_containers(settings, plane);
    if let (false, Some(spec)) = (init.is_empty(), spec.as_object_mut()) {
        spec.insert("initContainers".to_owned(), json!(init));
    }
    let spread = plane
        .pod_template
        .is_none_or(|template| template.affinity.is_none());
    if let (true, Some(spec)) = (spread, spec.as_object_mut()) {
        let constraint = json!([{
            "labelSelector": { "matchLabels": plane.selector() },
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
        }]);
        spec.insert("topologySpreadConstraints".to_owned(), constraint);
    }
    scheduling(plane.pod_template, &mut spec);
    spec
}

fn container(settings: &Settings, plane: &DataPlane<'_>) -> Value {
    let mut mounts: Vec<Value> = volume_names(plane)
        .map(|name| json!({ "name": name, "mountPath": format!("{PLAN_ROOT}/{name}"), "readOnly": true }))
        .collect();
    if !plane.programs.is_empty() {
        mounts.push(programs::socket_mount());
    }
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "admin" } });
    let with = |mut probe: Value, fields: Value| {
        if let (Some(probe), Value::Object(fields)) = (probe.as_object_mut(), fields) {
            probe.extend(fields);
        }
        probe
    };
    let mut container = json!({
        "name": plane.command(),
        "image": settings.image,
        "args": [plane.command(), "--plan", PLAN_ROOT],
        "ports": [
            { "name": "http", "containerPort": TRAFFIC_PORT, "protocol": "TCP" },
            { "name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP" },
        ],
        "lifecycle": { "preStop": { "sleep": { "seconds": SETTLE_SECONDS } } },
        "livenessProbe": with(probe("/livez"), json!({ "periodSeconds": 10, "failureThreshold": 6 })),
        "readinessProbe": with(probe("/readyz"), json!({ "periodSeconds": 2, "failureThreshold": 3 })),
        "resources": resources(
            plane.pod_template,
            json!({ "requests": { "cpu": "50m", "memory": "32Mi" } }),
        ),
        "securityContext": container_security(true),
        "volumeMounts": mounts,
    });
    if let (Some(policy), Some(container)) =
        (&settings.image_pull_policy, container.as_object_mut())
    {
        container.insert("imagePullPolicy".to_owned(), json!(policy));
    }
    if plane.kind == Kind::MCP {
        know_itself(&mut container);
    }
    container
}

/// A proxy is told which Pod it is: sessions on stdio live in one, and the other
/// replicas hand their requests on to it.
fn know_itself(container: &mut Value) {
    let from = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    if let Some(ports) = container["ports"].as_array_mut() {
        ports.push(json!({ "name": "relay", "containerPort": RELAY_PORT, "protocol": "TCP" }));
    }
    if let Some(container) = container.as_object_mut() {
        let env = [
            from("AGENTKUBE_POD_IP", "status.podIP"),
            from("AGENTKUBE_POD_UID", "metadata.uid"),
        ];
        container.insert("env".to_owned(), json!(env));
    }
}

fn volume_names(plane: &DataPlane<'_>) -> impl Iterator<Item = &'static str> {
    let is_gateway = plane.command() == "gateway";
    [
        Some("plan"),
        is_gateway.then_some("capabilities"),
        plane.has_clients.then_some("clients"),
        (!plane.secrets.is_empty()).then_some("secrets"),
    ]
    .into_iter()
    .flatten()
}

/// Everything that others write is optional: a missing Secret is a condition and a
/// 503 for whoever needs it, never a Pod that does not start. What models take is
/// written by whoever runs the namespace, for all of its gateways.
fn volumes(plane: &DataPlane<'_>) -> Vec<Value> {
    volume_names(plane)
        .map(|name| match name {
            "plan" => json!({ "name": name, "configMap": { "name": plane.child_name() } }),
            "capabilities" => json!({
                "name": name,
                "configMap": { "name": CAPABILITIES, "optional": true },
            }),
            "clients" => json!({
                "name": name,
                "secret": {
                    "secretName": plane.clients_name(),
                    "optional": true,
                    "defaultMode": 0o440,
                },
            }),
            _ => json!({
                "name": name,
                "projected": { "defaultMode": 0o440, "sources": secret_sources(plane) },
            }),
        })
        .chain(programs::volumes(plane))
        .collect()
}

/// One source a Secret, each entry at `<secret>/<entry>`.
fn secret_sources(plane: &DataPlane<'_>) -> Vec<Value> {
    let mut by_secret: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for entry in plane.secrets {
        let item = json!({ "key": entry.key, "path": entry.path() });
        by_secret.entry(&entry.name).or_default().push(item);
    }
    by_secret
        .into_iter()
        .map(
            |(name, items)| json!({ "secret": { "name": name, "optional": true, "items": items } }),
        )
        .collect()
}
