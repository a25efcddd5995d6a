//! `MCP`: one tool surface in front of several MCP tool servers.

mod checked;
mod checked_upstream;
pub mod pins;
mod settings;
mod status;
mod upstream;

use kube_derive::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use checked::CheckedMcp;
pub use checked_upstream::{CheckedUpstream, McpReference};
pub use settings::{AccessRule, McpLimits, NamePrefixPolicy, ToolNamesSpec, ToolPinning};
pub use status::{DriftChange, MCPStatus, McpUpstreamStatus, ToolDrift, ToolPin};
pub use upstream::{
    AuthKind, McpTimeouts, McpUpstream, OAuth2, StdioServer, ToolsMode, ToolsSpec, Transport,
    UpstreamAuthSpec, UpstreamKindName,
};

use crate::shared::{AllowedNamespaces, ClientAuthSpec, PodTemplate, one, port};

/// What an MCP serves, from which tool servers and for whom.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "agentkube.io",
    version = "v1alpha1",
    kind = "MCP",
    plural = "mcps",
    singular = "mcp",
    category = "agentkube",
    namespaced,
    status = "MCPStatus",
    derive = "PartialEq",
    doc = "An MCP is one Model Context Protocol endpoint in front of tool servers: it holds \
           their credentials, and its clients see only the tools that its filters let through. \
           It becomes a Deployment and a Service named <name>-mcp, and answers at /mcp.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every replica serves the current spec"
    ),
    printcolumn(
        name = "Tools",
        type_ = "integer",
        json_path = ".status.tools",
        description = "Tools that the filters let through"
    ),
    printcolumn(
        name = "Upstreams",
        type_ = "string",
        json_path = ".status.summary.upstreams",
        description = "Usable upstreams of all upstreams"
    ),
    printcolumn(
        name = "Clients",
        type_ = "integer",
        json_path = ".status.summary.clients",
        description = "Clients that hold a key"
    ),
    printcolumn(
        name = "Drifted",
        type_ = "integer",
        json_path = ".status.drifted",
        description = "Tools whose definition is not as it is pinned"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is, or is not, ready"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        priority = 1,
        json_path = ".status.endpoint",
        description = "Where it answers inside the cluster"
    ),
    crates(
        kube_core = "::kube_core",
        k8s_openapi = "::k8s_openapi",
        schemars = "::schemars",
        serde = "::serde",
        serde_json = "::serde_json"
    )
)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct MCPSpec {
    /// Port of the Service.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default = "port")]
    pub port: u16,
    /// Data-plane pods. `kubectl scale` and a HorizontalPodAutoscaler set it too.
    #[schemars(range(max = 1000))]
    #[serde(default = "one")]
    pub replicas: u32,
    /// The tool servers behind this MCP.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub upstreams: Vec<McpUpstream>,
    /// How the tools of several upstreams are told apart.
    #[serde(default)]
    pub tool_names: ToolNamesSpec,
    /// Which client may use which tools. Absent: every client, all tools. A tool that is not
    /// granted to a client does not exist for it.
    // At least one: whether an empty list means everybody or nobody is not left to a guess.
    #[schemars(length(min = 1, max = 256))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<AccessRule>,
    /// Further names that the Host and Origin headers may carry, without port. The Service's
    /// names and loopback always pass.
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Bounds of one replica.
    #[serde(default)]
    pub limits: McpLimits,
    /// Keeps the digest of each tool's definition and says when a server changes one. `warn`:
    /// in status. `block`: that tool is refused until its name is in the annotation
    /// `agentkube.io/approve-tools`. `disabled`: not at all.
    #[serde(default)]
    pub tool_pinning: ToolPinning,
    /// Who may call.
    #[serde(default)]
    pub auth: ClientAuthSpec,
    /// Whose agents and MCPs may use this MCP.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// How the proxy's own pods are scheduled and labelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}
