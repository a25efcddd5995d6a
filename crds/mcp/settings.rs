//! What an `MCP` sets for all of its upstreams together.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;
use crate::shared::{DurationText, Quantity};

/// What `limits.messageBytes` may be.
pub(super) const MESSAGE_BYTES: &str = "write a size between 1Ki and 1Gi, such as 16Mi";

/// How the tools of several upstreams are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ToolNamesSpec {
    /// When tools and prompts are named `<upstream>__<tool>`. `auto`: only with several
    /// upstreams. Without a prefix, of two equal names the first upstream's wins.
    #[serde(default)]
    pub prefix: NamePrefixPolicy,
    /// Longest name that clients see. Some models refuse longer ones.
    #[schemars(range(min = 16, max = 128))]
    #[serde(default = "name_length")]
    pub max_length: u32,
}

const fn name_length() -> u32 {
    64
}

impl Default for ToolNamesSpec {
    fn default() -> Self {
        Self {
            prefix: NamePrefixPolicy::default(),
            max_length: name_length(),
        }
    }
}

/// When tool names carry the name of their upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NamePrefixPolicy {
    /// Always.
    Always,
    /// Only with several upstreams.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// Grants tools to clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct AccessRule {
    /// Clients: `namespace/serviceaccount`, the name of a client Secret, or globs such as
    /// `team-a/*`.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub clients: Vec<String>,
    /// The tools that they may use, as clients see the names: exact, or globs.
    #[schemars(schema_with = "schemas::tool_patterns_256")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tools: Vec<String>,
}

/// Bounds of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new(
        "!isQuantity(string(self.messageBytes)) \
         || (quantity(string(self.messageBytes)).compareTo(quantity('1Ki')) >= 0 \
         && quantity(string(self.messageBytes)).compareTo(quantity('1Gi')) <= 0)"
    ).message(MESSAGE_BYTES).field_path(".messageBytes")
)]
#[serde(rename_all = "camelCase")]
pub struct McpLimits {
    /// Largest message, in either direction.
    #[serde(default = "message_bytes")]
    pub message_bytes: Quantity,
    /// Sessions at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(default = "sessions")]
    pub sessions: u32,
    /// A session without a request for this long ends.
    #[serde(default = "session_idle")]
    pub session_idle: DurationText,
    /// Calls under way at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(default = "concurrent_calls")]
    pub concurrent_calls: u32,
}

fn message_bytes() -> Quantity {
    "16Mi".into()
}

const fn sessions() -> u32 {
    10_000
}

fn session_idle() -> DurationText {
    "30m".into()
}

const fn concurrent_calls() -> u32 {
    1000
}

impl Default for McpLimits {
    fn default() -> Self {
        Self {
            message_bytes: message_bytes(),
            sessions: sessions(),
            session_idle: session_idle(),
            concurrent_calls: concurrent_calls(),
        }
    }
}

/// What happens when a server changes the definition of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ToolPinning {
    /// The tool is refused until it is approved.
    Block,
    /// Nothing.
    #[default]
    Disabled,
    /// Status says so.
    Warn,
}
