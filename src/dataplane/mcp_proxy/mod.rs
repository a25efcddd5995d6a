//! The MCP proxy: one filtered tool surface over several tool servers.
//!
//! ```text
//! POST /mcp → Host, Origin → Authenticate → collect → decode → era and headers (agentkube-mcp)
//!   → dispatch → locate (exposed name → upstream, filter) → upstream::ask (era, session, breaker, timeouts)
//!   ← relay: JSON, or SSE event by event: ids and progress tokens restored, results bridged, token redacted
//! ```
//!
//! Clients of the legacy HTTP+SSE transport are served at `/sse`, by the same dispatch.
//!
//! A modern client's requests stand alone. A legacy client gets a session whose
//! sealed id holds what a replica needs to serve it, so any replica serves any
//! request. Where an upstream keeps sessions, that client has one of its own
//! there; modern clients share one. Forgotten ones are opened again. What such a
//! client says beside its calls concerns replicas that did not hear it: they are told.

mod calls;
mod desk;
mod dispatch;
mod forward;
mod fulfil;
mod greet;
mod guard;
mod in_session;
mod listen;
mod lists;
mod locate;
mod metrics;
mod old_clients;
mod over;
mod party;
mod pauses;
mod peer;
mod pieces;
mod place;
mod pod_relay;
mod proxy;
mod question;
mod read;
mod relay;
mod reply;
mod request_state;
mod route;
mod run;
mod service;
mod serving;
mod sessions;
mod status;
mod stream;
mod tasks;
mod telling;
mod untold;
mod upstream;

#[cfg(test)]
mod tests;

pub use metrics::ProxyMetrics;
pub use pod_relay::{Relayed, RelayedPlane, home};
pub use proxy::{Proxy, ProxyParts};
pub use route::{ProxyError, ProxyPlane, Route};
pub use run::run_proxy;
pub use service::ProxyService;
