//! The agentkube.io/v1alpha1 API types, their schemas and rules.

#![allow(
    unreachable_pub,
    reason = "KubeSchema copies each struct, its pub included, into a function body"
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panicking"
    )
)]

pub mod agent;
pub mod agent_policy;
pub mod llm_gateway;
pub mod mcp;
mod schemas;
pub mod shared;

pub use agent::{Agent, AgentSpec, AgentStatus};
pub use agent_policy::{AgentPolicy, AgentPolicySpec, AgentPolicyStatus};
pub use llm_gateway::{LLMGateway, LLMGatewaySpec, LLMGatewayStatus};
pub use mcp::{MCP, MCPSpec, MCPStatus};
