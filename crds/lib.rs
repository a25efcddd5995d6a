//! The agentkube.io/v1alpha1 API types, their schemas and rules.
//!
//! ```text
//! Agent AgentPolicy LLMGateway MCP   the types, in a folder each; what they share in `shared`
//! crds yaml schema                   type → CustomResourceDefinition, as an API server accepts it
//! defaults check_cel unsupported     what an API server says, said by us, over raw JSON
//! LLMGateway::read, parse            JSON → typed object → Checked*, of which every value is legal
//! Checked*::plan                     → what a data plane serves
//! FieldError FieldPath nearest       findings, at paths as Kubernetes prints them
//! names keys                         names of children; labels and annotations
//! ```

#![allow(
    unreachable_pub,
    reason = "KubeSchema copies each struct, its pub included, into a function body"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "each print column states its type"
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

mod admission;
pub mod agent;
pub mod agent_policy;
pub mod field;
pub mod keys;
mod kind;
pub mod llm_gateway;
pub mod mcp;
pub mod names;
mod nearest;
mod schema;
mod schemas;
pub mod shared;
mod yaml_text;

pub use admission::{NotEnforced, check_cel, defaults, not_enforced, unsupported};
pub use agent::{Agent, AgentSpec, AgentStatus, CheckedAgent};
pub use agent_policy::{AgentPolicy, AgentPolicySpec, AgentPolicyStatus};
pub use field::{FieldError, FieldPath, Reason};
pub use kind::{API_VERSION, GROUP, Kind, VERSION};
pub use llm_gateway::{CheckedGateway, LLMGateway, LLMGatewaySpec, LLMGatewayStatus};
pub use mcp::{CheckedMcp, MCP, MCPSpec, MCPStatus};
pub use nearest::nearest;
pub use schema::{crd, crds, open_api_schema as schema, yaml, yaml_of};

#[cfg(test)]
mod tests;
