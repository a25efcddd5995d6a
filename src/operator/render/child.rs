//! A child object as a value, and whose child it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// Kinds of children, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ChildKind {
    /// v1
    ConfigMap,
    /// v1
    Secret,
    /// v1
    ServiceAccount,
    /// v1
    Service,
    /// networking.k8s.io/v1
    NetworkPolicy,
    /// policy/v1
    PodDisruptionBudget,
    /// apps/v1
    Deployment,
    /// apps/v1
    StatefulSet,
}

/// One object that the operator makes, complete but for its owner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Child {
    pub(crate) kind: ChildKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The whole object as JSON, with apiVersion, kind and metadata.
    pub(crate) body: Value,
}

/// The object that children belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl ChildKind {
    /// `kind` of the object.
    pub(crate) fn as_str(self) -> &'static str {
        self.gvk().2
    }

    /// `apiVersion` of the object.
    pub(crate) fn api_version(self) -> String {
        match self.gvk() {
            ("", version, _) => version.to_owned(),
            (group, version, _) => format!("{group}/{version}"),
        }
    }

    /// What the API client has to know.
    pub(crate) fn resource(self) -> ApiResource {
        let (group, version, kind) = self.gvk();
        let plural = match self {
            Self::NetworkPolicy => "networkpolicies".to_owned(),
            _ => format!("{}s", kind.to_lowercase()),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural)
    }

    fn gvk(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ConfigMap => ("", "v1", "ConfigMap"),
            Self::Secret => ("", "v1", "Secret"),
            Self::ServiceAccount => ("", "v1", "ServiceAccount"),
            Self::Service => ("", "v1", "Service"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy"),
            Self::PodDisruptionBudget => ("policy", "v1", "PodDisruptionBudget"),
            Self::Deployment => ("apps", "v1", "Deployment"),
            Self::StatefulSet => ("apps", "v1", "StatefulSet"),
        }
    }
}

impl Child {
    /// A child from its metadata and the fields below.
    pub(super) fn new(
        kind: ChildKind,
        namespace: &str,
        name: String,
        metadata: Value,
        fields: Value,
    ) -> Self {
        let mut body = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.as_str(),
            "metadata": metadata,
        });
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        Self {
            kind,
            namespace: namespace.to_owned(),
            name,
            body,
        }
    }
}

impl Owner {
    /// The owner of what `meta` describes.
    pub(crate) fn of(api_version: &str, kind: &str, meta: &ObjectMeta) -> Option<Self> {
        Some(Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
        })
    }

    /// The controlling reference.
    pub(crate) fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// True when that object is a child of this very owner: same uid, so not
    /// one of an earlier object of the same name.
    pub(crate) fn controls(&self, meta: &ObjectMeta) -> bool {
        meta.owner_references
            .iter()
            .flatten()
            .any(|owner| owner.controller == Some(true) && owner.uid == self.uid)
    }
}
