//! Pods and the Pod templates of workloads: how the wiring webhook would answer.

use agentkube_crds::FieldError;
use agentkube_webhooks::wire::{Missing, Wants, WireRequest, is_wired, wire};
use agentkube_webhooks::{FileIndex, Lookup as _, Verdict};
use serde_json::Value;

use crate::cli::manifest::Manifest;

/// The Pod in an object, and the field path before its own paths.
pub(crate) fn pod_of(object: &Value) -> Option<(&Value, &'static str)> {
    let text = |field| object.get(field).and_then(Value::as_str);
    let path = match (text("apiVersion")?, text("kind")?) {
        ("v1", "Pod") => return Some((object, "")),
        ("apps/v1", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("batch/v1", "Job")
        | ("v1", "ReplicationController") => "spec.template",
        ("batch/v1", "CronJob") => "spec.jobTemplate.spec.template",
        _ => return None,
    };
    let template = path
        .split('.')
        .try_fold(object, |value, field| value.get(field))?;
    Some((template, path))
}

/// What wiring says of a Pod or a workload.
pub(super) fn wiring(manifest: &Manifest, index: &FileIndex) -> Verdict {
    let Some((pod, path)) = pod_of(&manifest.object) else {
        return Verdict::default();
    };
    let namespace = manifest.namespace();
    if !is_wired(pod, index.namespace(namespace).as_ref()) {
        return Verdict::default();
    }
    let missing = Missing::Said;
    let request = WireRequest {
        namespace,
        pod,
        wants: Wants::Annotated,
        missing,
    };
    let wired = wire(&request, index);
    let below = |found: Vec<FieldError>| found.into_iter().map(|error| nested(error, path));
    Verdict {
        object: None,
        errors: below(wired.errors).collect(),
        warnings: below(wired.warnings).collect(),
    }
}

pub(super) fn nested(mut error: FieldError, path: &str) -> FieldError {
    if !path.is_empty() {
        error.field = format!("{path}.{}", error.field);
    }
    error
}
