//! Labels, annotations and entry names: the words that objects carry beside their spec.

/// Field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "agentkube";

/// Label on a Pod or Namespace: `"true"` has its pods wired, `"false"` on a Pod leaves it alone.
pub const WIRE: &str = "agentkube.io/wire";
/// Annotation on a Pod or Namespace: the gateway to wire, `[namespace/]name`.
pub const LLM_GATEWAY: &str = "agentkube.io/llm-gateway";
/// Annotation on a Pod or Namespace: the MCPs to wire, `[namespace/]a,[namespace/]b`.
pub const MCP: &str = "agentkube.io/mcp";
/// Annotation on a wired Pod: what wired it.
pub const WIRED_BY: &str = "agentkube.io/wired-by";
/// Annotation on a wired Pod: the digest of what was wired.
pub const WIRED_HASH: &str = "agentkube.io/wired-hash";
/// Annotation on a wired Pod: the contents of `/etc/agentkube/mcp.json`.
pub const MCP_JSON: &str = "agentkube.io/mcp.json";
/// Label on a Pod: the runtime whose own configuration it wants.
pub const RUNTIME: &str = "agentkube.io/runtime";
/// Label on a Namespace: `"true"` turns missing references into errors.
pub const STRICT: &str = "agentkube.io/strict";
/// Label on a Secret: it is the key of a client of `llmgateway.x`, `mcp.x`, or `x` of both kinds.
pub const CLIENT_OF: &str = "agentkube.io/client-of";
/// Annotation on a minted client key: the client, `namespace/serviceaccount`.
pub const CLIENT: &str = "agentkube.io/client";
/// Annotation on a minted client key: the target, `kind/namespace/name`.
pub const TARGET: &str = "agentkube.io/target";
/// Annotation on an MCP: tools whose changed definition is approved.
pub const APPROVE_TOOLS: &str = "agentkube.io/approve-tools";
/// Annotation on a supervised Agent's Pod: which run it is, `<uid>/<generation>` of the Agent.
pub const RUN: &str = "agentkube.io/run";
/// Annotation on our pods: bumped so that the kubelet reads mounted files again at once.
pub const SYNC: &str = "agentkube.io/sync";
/// Annotation on the pods of an MCP with stdio servers: stands for the Secrets in their
/// environments, so that a changed one starts them anew.
pub const ENVIRONMENT: &str = "agentkube.io/environment";
/// Label on what belongs to an LLMGateway: its name.
pub const OF_LLM_GATEWAY: &str = "agentkube.io/llmgateway";
/// Label on what belongs to an MCP: its name.
pub const OF_MCP: &str = "agentkube.io/mcp";
/// Label on what belongs to an Agent: its name.
pub const OF_AGENT: &str = "agentkube.io/agent";
/// Label and its value on everything that the operator makes.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "agentkube");

/// Entry of a client Secret that holds the key.
pub const API_KEY: &str = "api-key";
/// Entry of a client Secret that holds the key before a rotation.
pub const API_KEY_PREVIOUS: &str = "api-key-previous";
/// Shortest client key that is accepted.
pub const API_KEY_MIN: usize = 16;
