//! The tower stacks of the LLM gateway and the MCP proxy.
//!
//! ```text
//! edge/         accept, Observe, Rescue, InFlight, body limits, client keys: shared by both planes
//! source/       where plans, client tables and credentials come from
//! admin/        /livez /readyz /metrics /digest
//! upstream/     the pooled HTTP client, which never connects to metadata addresses
//! llm_gateway/  model requests
//! mcp_proxy/    tool requests
//! ```
//!
//! A plane is a [`source::PlanWatch`] turned into a tower service by
//! `llm_gateway::Gateway` or `mcp_proxy`, and served by [`edge::serve`].

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

pub mod admin;
mod apart;
pub mod edge;
pub mod llm_gateway;
pub mod mcp_proxy;
mod shown;
pub mod source;
pub mod stdio;
pub mod upstream;
