//! Pieces of `status`, written by the operator only.

use kube_derive::KubeSchema;
use serde::{Deserialize, Serialize};

/// A condition as Kubernetes' own objects have it.
pub type StatusCondition = k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Numbers for the columns of `kubectl get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct StatusSummary {
    /// Served models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<u32>,
    /// Usable upstreams of all upstreams, as `1/2`.
    #[schemars(length(max = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<String>,
    /// Clients that hold a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
}
