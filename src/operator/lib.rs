//! Observe, resolve, render, apply, report: the operator.
//!
//! ```text
//! shapes      foreign kinds, cut down to what is read of them
//! stores      watches → reflector stores → which object to look at again
//! resolve     checked spec × Lookup → plan                                  pure
//! render      plan → ConfigMap, Deployment, Service, …                      pure
//! apply       server-side apply; nothing when nothing changed; never adopts
//! clients     who may call, and the keys by which they are known
//! conditions  what is said in status                                        pure
//! reconcile   one object through all of these
//! leader      the Lease
//! webhook     CA, certificate and registration of the admission webhooks
//! admin       /livez /readyz /metrics
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests"
    )
)]

mod admin;
mod apply;
mod clients;
mod conditions;
mod error;
mod leader;
pub mod listen;
mod metrics;
mod options;
mod reconcile;
mod render;
pub mod resolve;
mod run;
mod shapes;
mod stores;
#[cfg(test)]
mod testing;
mod webhook;
mod wiring;

pub use error::Error;
pub use options::{CA_SECRET, Options, SERVICE_PORT, WebhookEndpoint};
pub use run::run;
pub use wiring::wire_agent;
