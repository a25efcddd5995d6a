//! `status` of an `MCP`.

use kube_derive::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{StatusCondition, StatusSummary};

/// What the operator knows of an MCP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct MCPStatus {
    /// Where it answers inside the cluster.
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
    /// Tools that the filters let through. Absent before the servers were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<u32>,
    /// The upstreams, in the order of the spec.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<McpUpstreamStatus>,
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

/// What is known of one tool server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct McpUpstreamStatus {
    /// Name of the upstream in the spec.
    #[schemars(length(max = 32))]
    pub name: String,
    /// The era of the protocol that it speaks: `legacy` or `modern`.
    #[schemars(length(max = 32))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<String>,
    /// Whether it answered. Absent before it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// Tools that it offers through the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<u32>,
    /// Patterns of the filter that match none of its tools.
    #[schemars(length(max = 1024), inner(length(max = 256)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched_patterns: Vec<String>,
    /// The last failure, without secrets or arguments.
    #[schemars(length(max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
