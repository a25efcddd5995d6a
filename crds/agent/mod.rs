//! `Agent`: a coding agent's CLI in a pod, wired to a gateway and to tools.

mod checked;
mod status;

use kube_derive::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use checked::{CheckedAgent, CheckedGoal};
pub use status::{AgentPhase, AgentStatus, RunResult, WiredTarget, Wiring};

use crate::schemas;
use crate::shared::{EnvVar, ObjectRef, PodTemplate, SecretKeyRef};

/// What an agent runs, on which goal and with which model and tools.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "agentkube.io",
    version = "v1alpha1",
    kind = "Agent",
    plural = "agents",
    singular = "agent",
    shortname = "ag",
    category = "agentkube",
    namespaced,
    status = "AgentStatus",
    derive = "PartialEq",
    doc = "An Agent runs an agent's command-line program in one pod, wired to an LLMGateway \
           and to MCPs, so that it holds no provider key. It becomes a StatefulSet of the same \
           name and starts when paused is false.",
    printcolumn(name = "Runtime", type_ = "string", json_path = ".spec.runtime"),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where it is in its life"
    ),
    printcolumn(
        name = "Wired",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Wired\")].status",
        description = "Whether its gateway and its tools are connected"
    ),
    printcolumn(
        name = "Gateway",
        type_ = "string",
        json_path = ".spec.llmGatewayRef.name",
        description = "The LLMGateway that it calls"
    ),
    printcolumn(
        name = "Paused",
        type_ = "boolean",
        json_path = ".spec.paused",
        description = "Whether it waits to be started"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Exit",
        type_ = "integer",
        json_path = ".status.result.exitCode",
        priority = 1,
        description = "Exit code of its program, once that ended"
    ),
    printcolumn(
        name = "Model",
        type_ = "string",
        json_path = ".spec.model.name",
        priority = 1,
        description = "The model that it asks for"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".status.wiring.llm",
        priority = 1,
        description = "Where it reaches its model"
    ),
    crates(
        kube_core = "::kube_core",
        k8s_openapi = "::k8s_openapi",
        schemars = "::schemars",
        serde = "::serde",
        serde_json = "::serde_json"
    )
)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.runtime != 'Cursor' || !has(self.llmGatewayRef)").message(
        "Cursor's CLI cannot be pointed at a gateway: remove llmGatewayRef and give it an \
         agentToken, or use another runtime"
    ).field_path(".llmGatewayRef").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.runtime != 'Aider' || !has(self.mcpRefs) || size(self.mcpRefs) == 0").message(
        "Aider has no MCP client: remove mcpRefs, or use another runtime"
    ).field_path(".mcpRefs").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.agentToken) || !has(self.llmGatewayRef)").message(
        "an agent behind a gateway holds no provider key: remove agentToken or llmGatewayRef"
    ).field_path(".agentToken").reason(Reason::FieldValueForbidden),
    validation = Rule::new(
        "self.mode != 'supervised' || (has(self.command) && size(self.command) > 0) || \
         (self.runtime in ['Aider', 'ClaudeCode', 'Codex', 'Goose', 'OpenCode'] && \
         !(has(self.args) && size(self.args) > 0))"
    ).message(
        "mode supervised starts the program itself and cannot know the image's entrypoint: \
         write command, or mode system"
    ).field_path(".command").reason(Reason::FieldValueRequired),
    validation = Rule::new(
        "self.mode != 'supervised' || (has(self.command) && size(self.command) > 0) || \
         !(self.runtime in ['Aider', 'ClaudeCode', 'Codex', 'Goose', 'OpenCode']) || \
         (has(self.args) && size(self.args) > 0) || has(self.goal)"
    ).message(
        "mode supervised runs this runtime on a goal, once: write goal, or command"
    ).field_path(".goal").reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// The program: one of the known command-line agents, or `Custom` for an image of your
    /// own that reads the wired environment.
    pub runtime: AgentRuntime,
    /// Image that holds the program. Default: the one that the installation names for this
    /// runtime (`runtimes.<name>.image`).
    #[schemars(length(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `supervised`: the program runs once, and the agent ends as Succeeded or Failed; a changed
    /// spec runs it again. `system`: the program is restarted for ever.
    #[serde(default)]
    pub mode: AgentMode,
    /// Keeps the agent from starting, so that its wiring can be read in status first. Set it
    /// to false to start.
    #[serde(default = "paused")]
    pub paused: bool,
    /// What it shall do. It reaches the program as AGENTKUBE_GOAL and in the runtime's own
    /// form, for example `claude -p`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// The model that it asks for. Default: the gateway's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// The LLMGateway that it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_gateway_ref: Option<ObjectRef>,
    /// The MCPs whose tools it may use. Names must differ.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcp_refs: Vec<ObjectRef>,
    /// A provider key of the agent's own, only without a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_token: Option<AgentToken>,
    /// More environment variables.
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Replaces the runtime's command. `mode: supervised` needs it where the runtime has none
    /// (Cline, Cursor, Custom), and beside args.
    #[schemars(length(max = 128), inner(length(max = 16384)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Replaces the runtime's arguments.
    #[schemars(length(max = 128), inner(length(max = 16384)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How the agent's pod is scheduled and labelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

const fn paused() -> bool {
    true
}

/// A command-line agent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum AgentRuntime {
    /// Aider.
    Aider,
    /// Claude Code.
    ClaudeCode,
    /// Cline.
    Cline,
    /// Codex.
    Codex,
    /// Cursor's CLI.
    Cursor,
    /// A program of your own.
    Custom,
    /// Goose.
    Goose,
    /// OpenCode.
    OpenCode,
}

impl AgentRuntime {
    /// The program that takes a goal as its last argument; none where only the image knows
    /// how to start.
    #[must_use]
    pub const fn command(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Aider => Some(&["aider", "--message"]),
            Self::ClaudeCode => Some(&["claude", "-p"]),
            Self::Codex => Some(&["codex", "exec", "--skip-git-repo-check"]),
            Self::Goose => Some(&["goose", "run", "-t"]),
            Self::OpenCode => Some(&["opencode", "run"]),
            Self::Cline | Self::Cursor | Self::Custom => None,
        }
    }
}

/// How often the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AgentMode {
    /// Once.
    #[default]
    Supervised,
    /// For ever.
    System,
}

/// What an agent shall do. One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("has(self.inline) || has(self.configMapKeyRef)").message(
        "write the goal: inline, or configMapKeyRef {name, key}"
    ).field_path(".inline").reason(Reason::FieldValueRequired),
    validation = Rule::new("!(has(self.inline) && has(self.configMapKeyRef))").message(
        "write one goal: inline or configMapKeyRef, not both"
    ).field_path(".configMapKeyRef").reason(Reason::FieldValueForbidden)
)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    /// The goal itself.
    #[schemars(length(min = 1, max = 16384))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// The entry of a ConfigMap of the same namespace that holds the goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}

/// One entry of a ConfigMap of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Entry in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ModelRef {
    /// A model that the gateway serves, or one of its aliases.
    #[schemars(schema_with = "schemas::model_name")]
    pub name: String,
}

/// A provider key of the agent's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct AgentToken {
    /// The environment variable that carries it, for example CURSOR_API_KEY.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z][-._a-zA-Z0-9]*$')").message(
        "an environment variable's name has letters, digits, '_', '-' and '.' and does not \
         begin with a digit"
    ))]
    pub env: String,
    /// The entry of a Secret of this namespace that holds it.
    pub secret_ref: SecretKeyRef,
}
