//! `status` of an `MCP`.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
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
    /// Tools whose definition is not as it is pinned. Absent without `toolPinning`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drifted: Option<u32>,
    /// Upstreams whose tools were seen since `toolPinning` is on, those of other MCPs as
    /// `<upstream>/<theirs>`: a tool of them that has no pin is new.
    #[schemars(length(max = 1024), inner(length(max = 1024)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_upstreams: Vec<String>,
    /// Names in the annotation `agentkube.io/approve-tools` that were used: each approves
    /// once, until it is written anew.
    #[schemars(length(max = 1024), inner(length(max = 256)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_tools: Vec<String>,
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
    /// The era of the protocol that it speaks: `legacy` (2025-11-25 and earlier), `modern`
    /// (2026-07-28), or `dual` for both.
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
    /// Definitions that its tools are held to (`toolPinning`).
    #[schemars(length(max = 4096))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<ToolPin>,
    /// Tools that are not as they are pinned.
    #[schemars(length(max = 256))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drifted: Vec<ToolDrift>,
}

impl McpUpstreamStatus {
    /// An upstream of which nothing is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            era: None,
            reachable: None,
            tools: None,
            unmatched_patterns: Vec::new(),
            message: None,
            pins: Vec::new(),
            drifted: Vec::new(),
        }
    }
}

/// The definition that a tool is held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ToolPin {
    /// The upstream's own name for the tool.
    #[schemars(length(max = 256))]
    pub tool: String,
    /// Whose tool it is, when the upstream is another MCP with upstreams of its own.
    #[schemars(length(max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Digest of its definition.
    #[schemars(length(max = 71))]
    pub digest: String,
}

/// A tool that is not as it is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ToolDrift {
    /// What clients call it, and what approves it.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Whose tool it is, when the upstream is another MCP with upstreams of its own.
    #[schemars(length(max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The upstream's own name for it.
    #[schemars(length(max = 256))]
    pub tool: String,
    /// How it differs.
    pub change: DriftChange,
    /// Digest of its definition now.
    #[schemars(length(max = 71))]
    pub digest: String,
}

/// How a tool differs from what is pinned.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum DriftChange {
    /// Its definition is another one.
    Changed,
    /// It was not there when the others were pinned.
    New,
}

impl DriftChange {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::New => "new",
        }
    }
}
