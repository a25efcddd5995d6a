//! `AgentPolicy`: what the administrators of a cluster allow.

mod status;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube_derive::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{AgentPolicyStatus, PolicyViolation};

use crate::agent::AgentRuntime;
use crate::llm_gateway::{InputFilter, ProviderName};
use crate::mcp::UpstreamKindName;
use crate::schemas;

/// Which objects a policy looks at, what it demands and what it does otherwise.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "agentkube.io",
    version = "v1alpha1",
    kind = "AgentPolicy",
    plural = "agentpolicies",
    singular = "agentpolicy",
    shortname = "agpol",
    category = "agentkube",
    status = "AgentPolicyStatus",
    derive = "PartialEq",
    doc = "An AgentPolicy says what the LLMGateways, MCPs, Agents and wired pods of the \
           namespaces that it selects may be. Only cluster administrators write it.",
    printcolumn(
        name = "Enforcement",
        type_ = "string",
        json_path = ".spec.enforcement",
        description = "What happens to an object that violates it"
    ),
    printcolumn(
        name = "Violations",
        type_ = "integer",
        json_path = ".status.violationCount",
        description = "Existing objects that violate it"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether it is in force"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
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
pub struct AgentPolicySpec {
    /// Namespaces that it looks at. Absent: all but agentkube's own and `kube-*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// What happens to an object that violates it. `Deny`: it is refused. `Warn`: it is
    /// admitted with a warning. `Audit`: only this policy's status says so.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// What LLMGateways may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_gateways: Option<GatewayRules>,
    /// What MCPs may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcps: Option<McpRules>,
    /// What Agents may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<AgentRules>,
    /// Rules of your own, as CEL expressions.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PolicyRule>,
}

/// What happens to an object that violates a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// Only the policy's status says so.
    Audit,
    /// It is refused.
    #[default]
    Deny,
    /// It is admitted with a warning.
    Warn,
}

/// What LLMGateways may be. An absent list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct GatewayRules {
    /// Providers that upstreams may have.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_providers: Option<Vec<ProviderName>>,
    /// Models that upstreams may serve: names or globs.
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// Endpoints that upstreams may have: globs over `host` or `host:port`.
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_endpoints: Option<Vec<String>>,
    /// Demands `guardrails.piiRedaction` or `guardrails.pii`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pii_redaction: Option<bool>,
    /// Input filters that must be on.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_input_filters: Option<Vec<InputFilter>>,
    /// Demands a `rateLimit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_rate_limit: Option<bool>,
    /// Largest `rateLimit.requestsPerMinute`.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests_per_minute: Option<u32>,
    /// Largest `replicas`.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
}

/// What MCPs may be. An absent list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct McpRules {
    /// Kinds that upstreams may have.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_kinds: Option<Vec<UpstreamKindName>>,
    /// Endpoints that upstreams may have: globs over `host` or `host:port`.
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_endpoints: Option<Vec<String>>,
    /// Demands `tools.mode: allow` of every upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_tool_allow_list: Option<bool>,
    /// Tools that no filter may let through: names or globs.
    #[schemars(schema_with = "schemas::tool_patterns_256")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forbidden_tools: Option<Vec<String>>,
    /// Images that stdio servers may have: globs.
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_images: Option<Vec<String>>,
    /// Largest `replicas`.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
}

/// What Agents may be. An absent list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct AgentRules {
    /// Demands an `llmGatewayRef`, so that no agent holds a provider key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_gateway: Option<bool>,
    /// Runtimes that agents may have.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_runtimes: Option<Vec<AgentRuntime>>,
    /// Images that agents may have: globs.
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_images: Option<Vec<String>>,
}

/// A rule of your own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// Name of the rule, unique in this policy.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Kinds that it looks at.
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<RuleKind>,
    /// A CEL expression that is true for what is allowed, over `object`, `oldObject` (null on
    /// CREATE) and `namespaceObject` {name, labels, annotations}.
    #[schemars(length(min = 1, max = 4096))]
    pub expression: String,
    /// What the user reads when it is false: what to do.
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
    /// The field that the answer points at, for example `spec.replicas`.
    #[schemars(length(min = 1, max = 256))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_path: Option<String>,
}

/// A kind that rules can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleKind {
    /// Agents.
    Agent,
    /// LLM gateways.
    LLMGateway,
    /// MCPs.
    MCP,
    /// Pods.
    Pod,
}
