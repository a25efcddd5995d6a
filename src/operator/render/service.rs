//! How a data plane is reached and kept: Service, ServiceAccount, PodDisruptionBudget.

use agentkube_plan::TRAFFIC_PORT;
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
