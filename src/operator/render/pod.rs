//! Pieces of Pods that data planes and agents share.

use std::collections::BTreeMap;

use agentkube_crds::shared::PodTemplate;
use serde_json::{Value, json};

/// User and group of every container that we make.
pub(super) const UID: u32 = 65532;

/// `securityContext` of a Pod, within the restricted Pod Security Standard.
pub(super) fn pod_security() -> Value {
    json!({
        "fsGroup": UID,
        "runAsGroup": UID,
        "runAsNonRoot": true,
        "runAsUser": UID,
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// `securityContext` of a container, within the restricted Pod Security Standard.
pub(super) fn container_security(read_only_root: bool) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": read_only_root,
    })
}

/// Metadata of a Pod: the user's labels and annotations below ours.
pub(super) fn metadata(
    template: Option<&PodTemplate>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> Value {
    let mut all_labels = template.map(|it| it.labels.clone()).unwrap_or_default();
    all_labels.extend(labels);
    let mut notes = template
        .map(|it| it.annotations.clone())
        .unwrap_or_default();
    notes.extend(annotations);
    json!({ "labels": all_labels, "annotations": notes })
}

/// Where the user wants the Pod to run.
pub(super) fn scheduling(template: Option<&PodTemplate>, spec: &mut Value) {
    let (Some(template), Some(spec)) = (template, spec.as_object_mut()) else {
        return;
    };
    let mut put = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            spec.insert(field.to_owned(), value);
        }
    };
    let selector = &template.node_selector;
    put(
        "nodeSelector",
        (!selector.is_empty()).then(|| json!(selector)),
    );
    put(
        "tolerations",
        (!template.tolerations.is_empty()).then(|| json!(template.tolerations)),
    );
    put(
        "affinity",
        template.affinity.as_ref().map(|affinity| json!(affinity)),
    );
}

/// `resources` of the main container.
pub(super) fn resources(template: Option<&PodTemplate>, default: Value) -> Value {
    match template.and_then(|template| template.resources.as_ref()) {
        Some(resources) => json!(resources),
        None => default,
    }
}
