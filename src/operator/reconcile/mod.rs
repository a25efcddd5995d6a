//! One object at a time: observe → parse → resolve → render → apply → conditions.

mod agent;
mod clients;
mod context;
mod data_plane;
mod digest;
mod drive;
mod error;
mod gateway;
mod mcp;
mod nudge;
mod pod_port;
mod session_keys;
mod signers;
mod status;
mod supervision;
mod sweep;
#[cfg(test)]
mod tests;

pub(crate) use context::Context;
pub(crate) use drive::writers;
pub(crate) use error::ReconcileError;
