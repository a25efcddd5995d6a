//! Who may connect to a data plane.

use agentkube_plan::{ADMIN_PORT, TRAFFIC_PORT};
use serde_json::{Value, json};

use super::{Child, ChildKind, DataPlane, Settings};

/// Traffic from anywhere (keys decide who is served); the admin port from the
/// operator's namespace and from monitoring.
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
    plane.child(
        ChildKind::NetworkPolicy,
        plane.child_name(),
        json!({
            "spec": {
                "podSelector": { "matchLabels": plane.selector() },
                "policyTypes": ["Ingress"],
                "ingress": [
                    { "ports": [{ "port": TRAFFIC_PORT, "protocol": "TCP" }] },
                    { "from": from, "ports": [{ "port": ADMIN_PORT, "protocol": "TCP" }] },
                ],
            },
        }),
    )
}
