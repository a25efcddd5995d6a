//! The contract between the control plane and the data planes.
//!
//! The operator (or `agentkube run`) resolves an object into a plan; a data
//! plane loads it, serves it and reports the digest of what it serves. A plan
//! never holds a secret value: it names Secrets and keys, and the data plane
//! reads the values from mounted files.
//!
//! ```text
//! DIR/plan/plan.json              GatewayPlan or ProxyPlan (a ConfigMap)
//! DIR/clients/clients.json        ClientTable (a Secret: hashes of keys, or public keys)
//! DIR/secrets/<secret>/<entry>    credentials (a projected volume)
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod admin;
mod clients;
mod digest;
mod gateway;
mod millis;
mod pins;
mod proxy;
mod run;
mod secret;
mod tokens;

pub use admin::{DigestReport, LoadedDigest, UpstreamReport};
pub use clients::{ClientAuth, ClientEntry, ClientTable, KeyHash, KeyHashError};
pub use digest::PlanDigest;
pub use gateway::{
    Alias, Breaker, Credentials, GatewayPlan, GatewayUpstream, ModelPattern, Provider, Retries,
    RetryOn, Routing, Translation, UnknownModel, UpstreamTimeouts,
};
pub use pins::{
    MAX_PIN_BYTES, MAX_PINS, MAX_UNPINNED_BYTES, PinMode, PinSet, Pinned, ToolDigest, UnpinnedTool,
    json_bytes, pin_name,
};
pub use proxy::{
    ChildVariable, HttpTransport, NamePrefix, OAuth2, ProxyLimits, ProxyPlan, ProxyTimeouts,
    ProxyUpstream, SessionKeys, Through, ToolFilter, ToolGrant, ToolNames, UpstreamAuth,
    UpstreamKind,
};
pub use run::{RunPhase, RunReport, STATUS_PORT};
pub use secret::SecretEntry;
pub use tokens::{Namespaces, TokenKey, TokenTrust};

use serde::{Deserialize, Serialize};

/// File name of the plan inside `DIR/plan`.
pub const PLAN_FILE: &str = "plan.json";
/// File name of the client table inside `DIR/clients`.
pub const CLIENTS_FILE: &str = "clients.json";
/// The container port that carries traffic; the Service maps `spec.port` to it.
pub const TRAFFIC_PORT: u16 = 8080;
/// The container port of the admin server.
pub const ADMIN_PORT: u16 = 9090;
/// The container port where the replicas of an MCP hand on to each other what only
/// one of them can serve, and tell each other what they said of sessions. It is in no
/// Service that clients use.
pub const RELAY_PORT: u16 = 9091;

/// The object that a plan was made from, for logs, metrics and messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectName {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
