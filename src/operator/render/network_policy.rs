//! Who may connect to a data plane.

use agentkube_crds::Kind;
use agentkube_plan::{ADMIN_PORT, RELAY_PORT, TRAFFIC_PORT};
use serde_json::{Value, json};

use super::{Child, ChildKind, DataPlane, Settings};

/// Traffic from anywhere (keys decide who is served); the admin port from the
/// operator's namespace and from monitoring; the port of replicas from those.
pub(super) fn ingress(settings: &Settings, plane: &DataPlane<'_>) -> Child {
    let own = (
        "kubernetes.io/metadata.name",
        settings.own_namespace.as_str(),
    );
    let monitoring = settings
        .monitoring
        .as_ref()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let from: Vec<Value> = [Some(own), monitoring]
        .into_iter()
        .flatten()
        .map(|(key, value)| json!({ "namespaceSelector": { "matchLabels": { key: value } } }))
        .collect();
    let mut ingress = vec![
        json!({ "ports": [{ "port": TRAFFIC_PORT, "protocol": "TCP" }] }),
        json!({ "from": from, "ports": [{ "port": ADMIN_PORT, "protocol": "TCP" }] }),
    ];
    if plane.kind == Kind::MCP {
        ingress.push(json!({
            "from": [{ "podSelector": { "matchLabels": plane.selector() } }],
            "ports": [{ "port": RELAY_PORT, "protocol": "TCP" }],
        }));
    }
    plane.child(
        ChildKind::NetworkPolicy,
        plane.child_name(),
        json!({
            "spec": {
                "podSelector": { "matchLabels": plane.selector() },
                "policyTypes": ["Ingress"],
                "ingress": ingress,
            },
        }),
    )
}
