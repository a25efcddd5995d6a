//! The MCP proxy: one filtered tool surface over several tool servers.
//!
//! ```text
//! POST /mcp → Host, Origin → Authenticate → collect → decode → era and headers (agentkube-mcp)
//!   → dispatch → locate (exposed name → upstream, filter) → upstream::ask (era, session, breaker, timeouts)
//!   ← relay: JSON, or SSE event by event: ids and progress tokens restored, results bridged, token redacted
//! ```
//!
//! Nothing is kept per client: no session id is handed out, so any replica
//! serves any request. Sessions exist on the other side only, one per legacy
//! upstream, and are opened again when the upstream forgot them.

mod calls;
mod dispatch;
mod forward;
mod greet;
mod guard;
mod lists;
mod locate;
mod proxy;
mod relay;
mod reply;
mod route;
mod run;
mod service;
mod serving;
mod upstream;

#[cfg(test)]
mod tests;

pub use proxy::{Proxy, ProxyParts};
pub use route::{ProxyError, ProxyPlane, Route};
pub use run::run_proxy;
pub use service::ProxyService;
