//! The four kinds as a value.

use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_core::CustomResourceExt as _;

use crate::{Agent, AgentPolicy, LLMGateway, MCP};

/// The API group.
pub const GROUP: &str = "agentkube.io";
/// The one version of the group.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every object.
pub const API_VERSION: &str = "agentkube.io/v1alpha1";

/// One of our kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Agent`]
    Agent,
    /// [`AgentPolicy`]
    AgentPolicy,
    /// [`LLMGateway`]
    LLMGateway,
    /// [`MCP`]
    MCP,
}

impl Kind {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 4] = [Self::Agent, Self::AgentPolicy, Self::LLMGateway, Self::MCP];

    /// `kind` of the objects.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::AgentPolicy => "AgentPolicy",
            Self::LLMGateway => "LLMGateway",
            Self::MCP => "MCP",
        }
    }

    /// The singular resource name, used in messages: `llmgateway platform/shared`.
    #[must_use]
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::AgentPolicy => "agentpolicy",
            Self::LLMGateway => "llmgateway",
            Self::MCP => "mcp",
        }
    }

    /// The plural resource name, as in URLs and RBAC rules.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::AgentPolicy => "agentpolicies",
            Self::LLMGateway => "llmgateways",
            Self::MCP => "mcps",
        }
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub const fn namespaced(self) -> bool {
        !matches!(self, Self::AgentPolicy)
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }

    /// The kind of that plural resource name.
    #[must_use]
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.plural() == plural)
    }

    /// The definition as derived from the type, before it is made fit for an API server.
    pub(crate) fn derived(self) -> CustomResourceDefinition {
        match self {
            Self::Agent => Agent::crd(),
            Self::AgentPolicy => AgentPolicy::crd(),
            Self::LLMGateway => LLMGateway::crd(),
            Self::MCP => MCP::crd(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
