//! The plan of an LLM gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ClientAuth, ObjectName, SecretEntry, millis};

/// Everything that an LLM gateway needs to serve one `LLMGateway` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayPlan {
    /// The object this plan was made from.
    pub object: ObjectName,
    /// The providers, in the order of the spec. Never empty.
    pub upstreams: Vec<GatewayUpstream>,
    /// Which model goes where.
    pub routing: Routing,
    /// What happens to what a provider's dialect cannot carry.
    #[serde(default)]
    pub translation: Translation,
    /// Who may call.
    pub auth: ClientAuth,
}

/// What happens to a part of a request that a provider's dialect cannot carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Translation {
    /// It is dropped, and the answer says so.
    #[default]
    Lenient,
    /// The request is refused.
    Strict,
}

/// One provider endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayUpstream {
    /// Name in the spec, unique in the plan.
    pub name: String,
    /// Which wire it speaks.
    pub provider: Provider,
    /// Base URL without a trailing slash, up to but without the dialect's own
    /// path: `https://api.openai.com/v1`, `https://api.anthropic.com`.
    pub base_url: String,
    /// Azure: the version of the legacy API, sent with every request as
    /// `api-version`; none for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Where its credentials come from.
    pub credentials: Credentials,
    /// What it serves.
    pub models: Vec<ModelPattern>,
    /// Served model name → what this upstream calls it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_names: BTreeMap<String, String>,
    /// Lower is tried first.
    pub priority: u32,
    /// Share within one priority.
    pub weight: u32,
    /// Bounds on one attempt.
    pub timeouts: UpstreamTimeouts,
}

/// The wire that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Anthropic Messages.
    Anthropic,
    /// Azure OpenAI.
    AzureOpenai,
    /// Amazon Bedrock.
    Bedrock,
    /// Ollama by its OpenAI-compatible routes.
    Ollama,
    /// OpenAI.
    Openai,
    /// Google Vertex AI.
    Vertex,
    /// vLLM by its OpenAI-compatible routes.
    Vllm,
}

impl Provider {
    /// The name used in specs, metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::AzureOpenai => "azure-openai",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
            Self::Openai => "openai",
            Self::Vertex => "vertex",
            Self::Vllm => "vllm",
        }
    }
}

/// Where the credentials of an upstream come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "from",
    deny_unknown_fields
)]
pub enum Credentials {
    /// The provider asks for none.
    None,
    /// An API key in a Secret.
    ApiKey {
        /// Where the key lies.
        secret: SecretEntry,
    },
    /// Keys of AWS, with which every request is signed.
    AwsKeys {
        /// The region that is signed for.
        region: String,
        /// `AWS_ACCESS_KEY_ID`.
        access_key_id: SecretEntry,
        /// `AWS_SECRET_ACCESS_KEY`.
        secret_access_key: SecretEntry,
        /// `AWS_SESSION_TOKEN`, which only temporary keys have.
        session_token: SecretEntry,
    },
    /// The JSON key of a Google service account, which is traded for tokens.
    GoogleKey {
        /// Where the JSON lies.
        secret: SecretEntry,
    },
    /// What AWS gives to the pod: web identity, pod identity.
    AwsWorkload {
        /// The region that is signed for.
        region: String,
    },
    /// What Azure gives to the pod: a federated token.
    AzureWorkload,
    /// What Google gives to the pod, by its metadata server.
    GoogleWorkload,
}

impl Credentials {
    /// The entries without which there are none.
    pub fn needed(&self) -> impl Iterator<Item = &SecretEntry> {
        let entries = match self {
            Self::ApiKey { secret } | Self::GoogleKey { secret } => [Some(secret), None],
            Self::AwsKeys {
                access_key_id,
                secret_access_key,
                ..
            } => [Some(access_key_id), Some(secret_access_key)],
            Self::None | Self::AwsWorkload { .. } | Self::AzureWorkload | Self::GoogleWorkload => {
                [None, None]
            }
        };
        entries.into_iter().flatten()
    }

    /// All entries that are read.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretEntry> {
        let optional = match self {
            Self::AwsKeys { session_token, .. } => Some(session_token),
            _ => None,
        };
        self.needed().chain(optional)
    }
}

/// A served model: an exact name, or a prefix written as `prefix*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ModelPattern {
    /// This name and no other.
    Exact(String),
    /// Every name that begins so.
    Prefix(String),
}

impl ModelPattern {
    /// True when the pattern covers this model name.
    #[must_use]
    pub fn matches(&self, model: &str) -> bool {
        match self {
            Self::Exact(name) => name == model,
            Self::Prefix(prefix) => model.starts_with(prefix.as_str()),
        }
    }
}

impl From<String> for ModelPattern {
    fn from(mut text: String) -> Self {
        if text.ends_with('*') {
            text.pop();
            Self::Prefix(text)
        } else {
            Self::Exact(text)
        }
    }
}

impl From<&str> for ModelPattern {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<ModelPattern> for String {
    fn from(pattern: ModelPattern) -> Self {
        match pattern {
            ModelPattern::Exact(name) => name,
            ModelPattern::Prefix(prefix) => prefix + "*",
        }
    }
}

/// `routing` of the spec, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Routing {
    /// Used when the request names no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// What happens to a model that nothing serves.
    pub unknown_model: UnknownModel,
    /// Aliases; the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// When the next attempt is made.
    pub retries: Retries,
    /// When an upstream is left alone for a while.
    pub breaker: Breaker,
}

/// What happens to a request for a model that nothing serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownModel {
    /// 404 with the nearest names.
    #[default]
    Reject,
    /// It goes to the default model.
    Default,
}

/// One entry of `routing.modelMap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alias {
    /// What a client may ask for.
    pub from: ModelPattern,
    /// The served model it gets; never another alias.
    pub to: String,
    /// Only through this upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
}

/// `routing.retries` of the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// How often one upstream is tried again before the next one is.
    pub attempts: u32,
    /// The failures that are worth another attempt or another upstream.
    pub retry_on: Vec<RetryOn>,
}

/// A failure that may be retried before the first event reached the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryOn {
    /// No connection could be made, or it broke before any answer.
    ConnectFailure,
    /// The upstream refused our credentials.
    Credentials,
    /// The provider is overloaded (529, 503, or its event of that name).
    Overloaded,
    /// The account has nothing left: never the same upstream again.
    Quota,
    /// 429.
    RateLimited,
    /// Another 5xx.
    ServerError,
    /// No head of the answer in time.
    Timeout,
}

/// `routing.breaker` of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// Failures within the window that open it.
    pub failures: u32,
    /// The window.
    #[serde(with = "millis")]
    pub window: Duration,
    /// How long it stays open before one probe is let through.
    #[serde(with = "millis")]
    pub cooldown: Duration,
}

/// Bounds on one attempt against an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamTimeouts {
    /// TCP and TLS.
    #[serde(with = "millis")]
    pub connect: Duration,
    /// From the request to the first event, or to the head of a whole answer.
    #[serde(with = "millis")]
    pub first_token: Duration,
    /// Between two pieces of the answer.
    #[serde(with = "millis")]
    pub idle: Duration,
}
