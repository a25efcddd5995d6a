//! `status` of an `LLMGateway`.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{StatusCondition, StatusSummary};

/// What the operator knows of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct LLMGatewayStatus {
    /// Where it answers inside the cluster; OpenAI clients add `/v1`.
    #[schemars(length(max = 2048))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<u32>,
    /// Label selector of the pods, for the scale subresource.
    #[schemars(length(max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Names that clients can ask for, prefixes as `gpt-5*`.
    #[schemars(length(max = 1024), inner(length(max = 256)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The upstreams, in the order of the spec.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<LlmUpstreamStatus>,
    /// Numbers for the columns of `kubectl get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<StatusSummary>,
    /// `Accepted` (the spec is valid), `ResolvedRefs` (what it refers to exists), `Programmed`
    /// (every ready pod serves this generation), `Ready` (it can be used).
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<StatusCondition>,
}

/// What is known of one upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct LlmUpstreamStatus {
    /// Name of the upstream in the spec.
    #[schemars(length(max = 32))]
    pub name: String,
    /// Whether calls to it succeed.
    pub state: UpstreamState,
    /// The last failure, without secrets or prompts.
    #[schemars(length(max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// True when its credentials were read, or it needs none.
    pub credentials: bool,
}

/// Whether calls to an upstream succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpstreamState {
    /// The last calls failed.
    Failing,
    /// The last call succeeded.
    Healthy,
    /// It was not called yet.
    #[default]
    Unknown,
}
