//! One child: look, compare, write or leave alone.

use std::sync::Arc;

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::info;

use super::{APPLIED, FIELD_MANAGER, covers};
use crate::render::{Child, ChildKind, Owner};

/// Children as they were last seen, from a reflector store.
pub(crate) trait Children: Send + Sync {
    /// The child of that kind and name, if it is known.
    fn child(&self, kind: ChildKind, namespace: &str, name: &str) -> Option<Arc<DynamicObject>>;
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was as wanted.
    Unchanged,
    /// It was created or changed.
    Written,
}

/// Why a child could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// An object of that name is there and is not ours.
    #[error("{kind} {name:?} exists and is not controlled by this object; rename or delete it")]
    NameTaken {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The API server refused or could not be reached.
    #[error("{kind} {name:?}: {source}")]
    Api {
        /// Kind of the child.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// Makes `child` as wanted, for `owner`.
///
/// Guarantees: an object that `owner` does not control is never written, also
/// not when it appears between our look and our write (its uid is part of the
/// write, and a creation does not force). Nothing is written when the live
/// object covers the wanted one and was made from the same wanted one.
pub(crate) async fn apply(
    client: &Client,
    known: &dyn Children,
    owner: &Owner,
    child: &Child,
) -> Result<Applied, ApplyError> {
    let api = api(client, child);
    let live = match known.child(child.kind, &child.namespace, &child.name) {
        Some(live) => Some(live),
        None => api
            .get_opt(&child.name)
            .await
            .map_err(|e| failed(child, e))?
            .map(Arc::new),
    };
    let (mut wanted, digest) = stamped(owner, child);
    let mut params = PatchParams::apply(FIELD_MANAGER);
    if let Some(live) = &live {
        if !owner.controls(&live.metadata) {
            return Err(taken(child));
        }
        if is_as_wanted(live, &wanted, &digest) {
            return Ok(Applied::Unchanged);
        }
        set(&mut wanted, "uid", live.uid());
        params = params.force();
    }
    match api
        .patch(&child.name, &params, &Patch::Apply(&wanted))
        .await
    {
        Ok(_) => {
            let kind = child.kind.as_str();
            info!(kind, namespace = %child.namespace, name = %child.name, "applied");
            Ok(Applied::Written)
        }
        // Without force a conflict means that somebody else made it meanwhile;
        // with a uid, that it is another object by now.
        Err(kube::Error::Api(status)) if status.code == 409 && live.is_none() => Err(taken(child)),
        Err(error) => Err(failed(child, error)),
    }
}

/// Deletes a child that is no longer wanted, if it is ours.
pub(crate) async fn remove(
    client: &Client,
    known: &dyn Children,
    owner: &Owner,
    child: &Child,
) -> Result<Applied, ApplyError> {
    let Some(live) = known.child(child.kind, &child.namespace, &child.name) else {
        return Ok(Applied::Unchanged);
    };
    if !owner.controls(&live.metadata) {
        return Ok(Applied::Unchanged);
    }
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: live.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api(client, child).delete(&child.name, &params).await {
        Ok(_) => Ok(Applied::Written),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Applied::Unchanged),
        Err(error) => Err(failed(child, error)),
    }
}

fn api(client: &Client, child: &Child) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &child.namespace, &child.kind.resource())
}

/// The child with its owner and the digest of itself.
fn stamped(owner: &Owner, child: &Child) -> (Value, String) {
    let mut wanted = child.body.clone();
    set(
        &mut wanted,
        "ownerReferences",
        serde_json::to_value([owner.reference()]).ok(),
    );
    let digest = hex::encode(Sha256::digest(wanted.to_string().as_bytes()));
    let digest = digest.chars().take(16).collect::<String>();
    if let Some(metadata) = wanted.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(<_>::default()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(APPLIED.to_owned(), Value::String(digest.clone()));
        }
    }
    (wanted, digest)
}

fn is_as_wanted(live: &DynamicObject, wanted: &Value, digest: &str) -> bool {
    // What a list brings has neither apiVersion nor kind.
    let mut wanted = wanted.clone();
    if let Some(wanted) = wanted.as_object_mut() {
        wanted.retain(|field, _| field != "apiVersion" && field != "kind");
    }
    live.annotations()
        .get(APPLIED)
        .is_some_and(|applied| applied == digest)
        && serde_json::to_value(live).is_ok_and(|live| covers(&live, &wanted))
}

fn set(object: &mut Value, field: &str, value: Option<impl Into<Value>>) {
    if let (Some(metadata), Some(value)) = (
        object.get_mut("metadata").and_then(Value::as_object_mut),
        value,
    ) {
        metadata.insert(field.to_owned(), value.into());
    }
}

fn taken(child: &Child) -> ApplyError {
    ApplyError::NameTaken {
        kind: child.kind.as_str(),
        name: child.name.clone(),
    }
}

fn failed(child: &Child, error: kube::Error) -> ApplyError {
    ApplyError::Api {
        kind: child.kind.as_str(),
        name: child.name.clone(),
        source: Box::new(error),
    }
}

/// No children are known: every look is a read.
impl Children for () {
    fn child(&self, _: ChildKind, _: &str, _: &str) -> Option<Arc<DynamicObject>> {
        None
    }
}
