//! How a data plane is reached and kept: Services, ServiceAccount, PodDisruptionBudget.

use agentkube_crds::names;
use agentkube_plan::{RELAY_PORT, TRAFFIC_PORT};
use serde_json::json;

use super::{Child, ChildKind, DataPlane};

pub(super) fn service(plane: &DataPlane<'_>) -> Child {
    plane.child(
        ChildKind::Service,
        plane.child_name(),
        json!({
            "spec": {
                "type": "ClusterIP",
                "selector": plane.selector(),
                "ports": [{
                    "name": "http",
                    "appProtocol": "http",
                    "protocol": "TCP",
                    "port": plane.port,
                    "targetPort": TRAFFIC_PORT,
                }],
            },
        }),
    )
}

/// Only for several replicas of an MCP: the addresses of all its Pods, also of those
/// that are not ready any more and still answer what came before.
pub(super) fn peers(plane: &DataPlane<'_>) -> Child {
    plane.child(
        ChildKind::Service,
        names::peers_service(plane.object),
        json!({
            "spec": {
                "type": "ClusterIP",
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": plane.selector(),
                "ports": [{
                    "name": "relay",
                    "appProtocol": "http",
                    "protocol": "TCP",
                    "port": RELAY_PORT,
                    "targetPort": RELAY_PORT,
                }],
            },
        }),
    )
}

/// Without a token: a data plane never speaks to the API server.
pub(super) fn account(plane: &DataPlane<'_>) -> Child {
    plane.child(
        ChildKind::ServiceAccount,
        plane.child_name(),
        json!({ "automountServiceAccountToken": false }),
    )
}

/// Only for several replicas: with one, it would hang every drain.
pub(super) fn disruption_budget(plane: &DataPlane<'_>) -> Child {
    plane.child(
        ChildKind::PodDisruptionBudget,
        plane.child_name(),
        json!({
            "spec": {
                "maxUnavailable": 1,
                "selector": { "matchLabels": plane.selector() },
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }),
    )
}
