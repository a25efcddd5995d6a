//! What the admin port answers. The operator reads it to know the truth.

use serde::{Deserialize, Serialize};

use crate::{PlanDigest, UnpinnedTool};

/// Answer of `GET /digest`: what this replica serves right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestReport {
    /// The plan being served.
    pub plan: LoadedDigest,
    /// The client table being served; absent with `auth.mode: none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<LoadedDigest>,
    /// One row an upstream, in the plan's order.
    #[serde(default)]
    pub upstreams: Vec<UpstreamReport>,
}

/// The digest of a file that is being served and, when a newer one could not be
/// loaded, why: the last good one goes on being served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedDigest {
    /// Digest of the bytes being served.
    pub digest: PlanDigest,
    /// Why the file now on disk is not the one being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// What a replica knows of one upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamReport {
    /// Name of the upstream in the spec.
    pub name: String,
    /// True when its credentials were read, or none are needed.
    pub credentials: bool,
    /// True or false once it was tried, absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<bool>,
    /// The era of MCP that it speaks: `legacy`, `modern`, or `dual` for both; absent
    /// before it said (MCP only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<String>,
    /// Models that an upstream without a list in the spec said it serves (gateways
    /// only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Tools that the upstream offers through the filter (MCP only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<u32>,
    /// Filter patterns that match no tool of the upstream (MCP only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched_patterns: Vec<String>,
    /// Tools that are not pinned as they are (MCP only, with tool pinning).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpinned: Vec<UnpinnedTool>,
    /// True when there are more of those than the report has room for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpinned_cut: bool,
    /// The last failure, without secrets or prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
