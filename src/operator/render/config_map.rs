//! What the data plane reads: the plan (a ConfigMap) and the client table (a Secret).

use agentkube_plan::{CLIENTS_FILE, PLAN_FILE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Child, ChildKind, DataPlane};

/// Annotation with the digest of the plan.
pub(crate) const PLAN_DIGEST: &str = "agentkube.io/plan-digest";

pub(super) fn plan(plane: &DataPlane<'_>) -> Child {
    plane.annotated(
        ChildKind::ConfigMap,
        plane.child_name(),
        json!({ PLAN_DIGEST: plane.digest }),
        json!({ "data": { PLAN_FILE: plane.plan } }),
    )
}

/// The Secret with the hashes of the clients' keys.
pub(crate) fn client_table(plane: &DataPlane<'_>, table: &[u8]) -> Child {
    plane.child(
        ChildKind::Secret,
        plane.clients_name(),
        json!({ "type": "Opaque", "data": { CLIENTS_FILE: STANDARD.encode(table) } }),
    )
}
