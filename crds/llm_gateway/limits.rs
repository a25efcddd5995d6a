//! Limits, budgets, prices, the cache and the state that replicas share.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;
use crate::shared::{DurationText, LimitScope, Money, Quantity, SecretKeyRef};

/// How much clients may ask for. At least one of the two rates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("has(self.requestsPerMinute) || has(self.tokensPerMinute)").message(
        "write requestsPerMinute, tokensPerMinute or both"
    ).field_path(".requestsPerMinute").reason(Reason::FieldValueRequired),
    validation = Rule::new("!has(self.burst) || has(self.requestsPerMinute)").message(
        "burst belongs to requestsPerMinute: write that too"
    ).field_path(".requestsPerMinute").reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests in a minute, refilled evenly.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens in a minute, input and output together.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Whose requests are counted together. `perClient`: every client has the whole limit;
    /// `perModel`: every model has it, for all clients; `global`: all share it.
    #[serde(default)]
    pub scope: LimitScope,
    /// Requests that may come at once: in any time t at most `burst` + rate × t pass. Default
    /// `requestsPerMinute`.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// How many dollars may be spent in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Whose spending is counted together, as in `rateLimit.scope`.
    #[serde(default)]
    pub scope: LimitScope,
    /// When it begins anew: at midnight UTC, or on the first of the month.
    pub period: BudgetPeriod,
    /// US dollars, for example `"25.00"`.
    pub usd: Money,
}

/// The period of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BudgetPeriod {
    /// A day, in UTC.
    Day,
    /// A calendar month, in UTC.
    Month,
}

/// What a million tokens cost, in US dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// A million input tokens.
    pub input: Money,
    /// A million output tokens.
    pub output: Money,
    /// A million input tokens that the provider took from its cache. Default: as `input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Money>,
}

/// Answers repeated requests from memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct Caching {
    /// Turns the cache on.
    #[serde(default)]
    pub enabled: bool,
    /// How long an answer is kept.
    #[serde(default = "five_minutes")]
    pub ttl: DurationText,
    /// Who gets an answer again. `client`: only the client that caused it. `gateway`:
    /// everybody who asks the same.
    #[serde(default)]
    pub scope: CacheScope,
    /// Memory of the cache, per replica.
    #[serde(default = "cache_size")]
    pub max_bytes: Quantity,
}

fn five_minutes() -> DurationText {
    "5m".into()
}

fn cache_size() -> Quantity {
    "64Mi".into()
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            enabled: false,
            ttl: five_minutes(),
            scope: CacheScope::default(),
            max_bytes: cache_size(),
        }
    }
}

/// Who gets a cached answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CacheScope {
    /// Only the client that caused it.
    #[default]
    Client,
    /// Everybody who asks the same.
    Gateway,
}

/// Where replicas keep what they must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct StateSpec {
    /// A Redis (or what speaks its protocol) for shared limits, budgets and the cache.
    pub redis: RedisState,
}

/// A Redis server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct RedisState {
    /// `redis://host:port/db`, or `rediss://` for TLS. Without credentials: these belong into
    /// `passwordRef`.
    #[schemars(schema_with = "schemas::redis_url")]
    pub endpoint: String,
    /// The password, in a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_ref: Option<SecretKeyRef>,
    /// Certificates (PEM) of the authority that signed the server's, in a Secret of this
    /// namespace. Default: the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<SecretKeyRef>,
}
