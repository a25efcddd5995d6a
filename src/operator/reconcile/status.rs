//! Writes status when it changed, and an Event for each condition that turned.

use agentkube_crds::{API_VERSION, GROUP, Kind, VERSION};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::events::{Event, EventType};
use serde::Serialize;
use serde_json::json;
use tracing::warn;

use super::{Context, ReconcileError};

/// Status has a manager of its own: what the spec's appliers do never touches it.
const STATUS_MANAGER: &str = "agentkube-status";
/// An Event's note may have 1024 bytes.
const NOTE_BYTES: usize = 1000;

/// Writes `status` if it differs from `previous`.
pub(super) async fn write<S: Serialize + PartialEq>(
    ctx: &Context,
    kind: Kind,
    meta: &ObjectMeta,
    previous: Option<&S>,
    status: &S,
    turned: &[&Condition],
) -> Result<(), ReconcileError> {
    write_over(ctx, kind, meta, None, previous, status, turned).await
}

/// As [`write`], and only over the version that it was made from, when one is
/// given: the next look makes it again from what is there then.
pub(super) async fn write_over<S: Serialize + PartialEq>(
    ctx: &Context,
    kind: Kind,
    meta: &ObjectMeta,
    version: Option<&str>,
    previous: Option<&S>,
    status: &S,
    turned: &[&Condition],
) -> Result<(), ReconcileError> {
    let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
        return Ok(());
    };
    if previous == Some(status) {
        return Ok(());
    }
    let gvk = GroupVersionKind::gvk(GROUP, VERSION, kind.as_str());
    let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), namespace, &resource);
    let mut patch = json!({
        "apiVersion": API_VERSION,
        "kind": kind.as_str(),
        // An object made anew under this name gets no status of its predecessor.
        "metadata": { "name": name, "uid": meta.uid },
        "status": status,
    });
    if let (Some(version), Some(metadata)) = (version, patch["metadata"].as_object_mut()) {
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
    let params = PatchParams::apply(STATUS_MANAGER).force();
    match api.patch_status(name, &params, &Patch::Apply(&patch)).await {
        Ok(_) => ctx.metrics.wrote(kind.as_str()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for condition in turned {
        announce(ctx, kind, meta, condition).await;
    }
    Ok(())
}

/// An Event that cannot be written is not worth another attempt.
async fn announce(ctx: &Context, kind: Kind, meta: &ObjectMeta, condition: &Condition) {
    // An Agent that reached its goal is not ready any more, and all is well.
    let good = condition.status == "True" || condition.reason == "Succeeded";
    let mut end = condition.message.len().min(NOTE_BYTES);
    while !condition.message.is_char_boundary(end) {
        end -= 1;
    }
    let event = Event {
        type_: if good {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: condition.reason.clone(),
        note: condition.message.get(..end).map(str::to_owned),
        action: condition.type_.clone(),
        secondary: None,
    };
    let reference = ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some(kind.as_str().to_owned()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    };
    if let Err(error) = ctx.recorder.publish(&event, &reference).await {
        warn!(%error, "event not written");
    }
}
