//! The keys with which the replicas of an MCP seal the ids of sessions: made
//! once, rotated, never adopted from somebody else.
//!
//! An id is good for 30 days, and a key opens for one rotation after its own, so
//! a rotation never ends a session. A key is published one rotation before it is
//! used: replicas see a changed Secret one after the other, and one that does not
//! yet must open what another one sealed.

use std::collections::BTreeMap;

use agentkube_crds::{API_VERSION, MCP, keys, names};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::reflector::ObjectRef;
use secrecy::ExposeSecret;
use serde_json::json;
use tracing::info;

use super::{Context, ReconcileError};
use crate::apply::{ApplyError, FIELD_MANAGER};
use crate::clients::mint;
use crate::render::Owner;
use crate::shapes::SecretShape;

/// Seconds after which a new key is made.
const ROTATION: i64 = 30 * 24 * 3600;

/// Seconds until every replica has a key that was published: kubelets take minutes.
const SPREAD: i64 = 3600;

/// Annotation: since when the current key is used, in seconds since 1970.
const SINCE: &str = "agentkube.io/session-key-since";

/// Makes the keys of an MCP, or a new one when the current one is old.
pub(super) async fn settle(ctx: &Context, mcp: &MCP) -> Result<(), ReconcileError> {
    let Some(owner) = Owner::of(API_VERSION, "MCP", &mcp.metadata) else {
        return Ok(());
    };
    let namespace = mcp.metadata.namespace.as_deref().unwrap_or_default();
    let name = names::session_keys(&owner.name);
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), namespace);
    let now = Timestamp::now().as_second();
    let there = ObjectRef::new(&name).within(namespace);
    let Some(shape) = ctx.stores.secrets.get(&there) else {
        return create(&secrets, &name, &owner, now).await;
    };
    if !is_of(&shape, &owner) {
        return Err(ApplyError::NameTaken {
            kind: "Secret",
            name,
        }
        .into());
    }
    if !is_old(&shape.metadata, now) {
        return Ok(());
    }
    rotate(&secrets, &name, now).await
}

async fn create(
    secrets: &Api<Secret>,
    name: &str,
    owner: &Owner,
    now: i64,
) -> Result<(), ReconcileError> {
    let (managed_by, us) = keys::MANAGED_BY;
    let pair = |key: &str, value: String| BTreeMap::from([(key.to_owned(), value)]);
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(pair(managed_by, us.to_owned())),
            annotations: Some(pair(SINCE, now.to_string())),
            owner_references: Some(vec![owner.reference()]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from([
            ("current".to_owned(), fresh()?),
            ("next".to_owned(), fresh()?),
        ])),
        ..Secret::default()
    };
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match secrets.create(&params, &secret).await {
        Ok(_) => {
            info!(secret = name, "session key made");
            Ok(())
        }
        // The watch has not shown it yet.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn rotate(secrets: &Api<Secret>, name: &str, now: i64) -> Result<(), ReconcileError> {
    let Some(secret) = secrets.get_opt(name).await? else {
        return Ok(());
    };
    // What the watch has not shown yet: rotated twice, the key before would be lost.
    if !is_old(&secret.metadata, now) {
        return Ok(());
    }
    let key = |name: &str| secret.data.as_ref().and_then(|data| data.get(name));
    let (since, data) = match key("next") {
        Some(next) => {
            let data = json!({ "current": next, "previous": key("current"), "next": fresh()? });
            (now, data)
        }
        // It was made without one: first published, then used.
        None => (now - ROTATION + SPREAD, json!({ "next": fresh()? })),
    };
    let patch = json!({
        "metadata": {
            // Another operator that rotated meanwhile is not undone.
            "resourceVersion": secret.metadata.resource_version,
            "annotations": { SINCE: since.to_string() },
        },
        "data": data,
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match secrets.patch(name, &params, &Patch::Merge(patch)).await {
        Ok(_) => {
            info!(secret = name, "session key rotated");
            Ok(())
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn fresh() -> Result<ByteString, ReconcileError> {
    Ok(ByteString(mint()?.expose_secret().as_bytes().to_vec()))
}

fn is_of(shape: &SecretShape, owner: &Owner) -> bool {
    let references = shape.metadata.owner_references.iter().flatten();
    references.into_iter().any(|it| it.uid == owner.uid)
}

/// True when it is time for another key. A Secret that does not say since when it has
/// its key may have it for ever.
fn is_old(metadata: &ObjectMeta, now: i64) -> bool {
    let since = metadata.annotations.as_ref().and_then(|it| it.get(SINCE));
    let since = since.and_then(|text| text.parse::<i64>().ok());
    since.is_none_or(|since| now.saturating_sub(since) >= ROTATION)
}
