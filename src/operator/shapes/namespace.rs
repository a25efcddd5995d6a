//! A Namespace: labels and annotations.

use agentkube_webhooks::NamespaceFacts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A Namespace by its metadata.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NamespaceShape {
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
}

super::core_v1!(
    NamespaceShape,
    "Namespace",
    "namespaces",
    kube::core::ClusterResourceScope
);

impl NamespaceShape {
    pub(crate) fn facts(&self) -> NamespaceFacts {
        NamespaceFacts {
            labels: self.metadata.labels.clone().unwrap_or_default(),
            annotations: self.metadata.annotations.clone().unwrap_or_default(),
        }
    }
}
