//! `routing` of an `LLMGateway`.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;
use crate::shared::BreakerSpec;

/// Which model goes to which upstream, and what happens when one fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.unknownModel != 'default' || has(self.defaultModel)").message(
        "unknownModel default needs a defaultModel"
    ).field_path(".defaultModel").reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct RoutingSpec {
    /// The model of requests that name none, and of those that name an unknown one when
    /// `unknownModel` is `default`. A served model or an alias.
    #[schemars(length(min = 1, max = 256))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// What happens to a request for a model that nothing serves. `reject`: 404 with the
    /// nearest names. `default`: it goes to `defaultModel`.
    #[serde(default)]
    pub unknown_model: UnknownModelPolicy,
    /// Aliases: names that clients may ask for besides the served ones. The first match wins.
    #[schemars(length(max = 512))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_map: Vec<ModelMapping>,
    /// When a failed attempt is made again, or goes on to the next upstream that serves the
    /// model. Only before the first piece of the answer has reached the client.
    #[serde(default)]
    pub retries: RetriesSpec,
    /// When an upstream that keeps failing is left alone for a while.
    #[serde(default)]
    pub breaker: BreakerSpec,
}

/// What happens to a request for a model that nothing serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnknownModelPolicy {
    /// It goes to the default model.
    Default,
    /// 404 with the nearest names.
    #[default]
    Reject,
}

/// One alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct ModelMapping {
    /// What a client asks for: a name, or a prefix such as `gpt-4*`.
    #[schemars(schema_with = "schemas::model_pattern")]
    pub from: String,
    /// The served model that it gets. Never another alias.
    #[schemars(schema_with = "schemas::model_name")]
    pub to: String,
    /// Only through this upstream.
    #[schemars(length(min = 1, max = 32))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
}

/// When a failed attempt is made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct RetriesSpec {
    /// How often one upstream is tried again before the next one is. 0 goes on to the next
    /// one at once.
    #[schemars(range(max = 10))]
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// The failures that are worth another attempt. Default: all.
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<Vec<RetryReason>>,
}

const fn attempts() -> u32 {
    2
}

impl Default for RetriesSpec {
    fn default() -> Self {
        Self {
            attempts: attempts(),
            retry_on: None,
        }
    }
}

/// A failure that is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RetryReason {
    /// No connection, or it broke before any answer.
    ConnectFailure,
    /// The provider refused our credentials: only another upstream is tried.
    Credentials,
    /// The provider is overloaded.
    Overloaded,
    /// The account has nothing left: only another upstream is tried.
    Quota,
    /// The provider limits our rate.
    RateLimited,
    /// The provider failed (another 5xx).
    ServerError,
    /// No head of the answer in time.
    Timeout,
}
