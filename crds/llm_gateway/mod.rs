//! `LLMGateway`: one endpoint in front of several model providers.

mod checked;
mod checked_upstream;
mod guardrails;
mod limits;
mod routing;
mod status;
mod upstream;

use std::collections::BTreeMap;

use kube_derive::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use checked::CheckedGateway;
pub use guardrails::{
    CustomPii, FilterAction, Guardrails, InputFilter, OutputFilter, PiiApply, PiiEntity, PiiMode,
    PiiSpec,
};
pub use limits::{
    Budget, BudgetPeriod, CacheScope, Caching, Price, RateLimit, RedisState, StateSpec,
};
pub use routing::{ModelMapping, RetriesSpec, RetryReason, RoutingSpec, UnknownModelPolicy};
pub use status::{LLMGatewayStatus, LlmUpstreamStatus, UpstreamState};
pub use upstream::{LlmTimeouts, LlmUpstream, ProviderName};

use crate::shared::{AllowedNamespaces, ClientAuthSpec, PodTemplate, one, port};

/// What an LLMGateway serves, through which providers and for whom.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "agentkube.io",
    version = "v1alpha1",
    kind = "LLMGateway",
    plural = "llmgateways",
    singular = "llmgateway",
    shortname = "llmgw",
    category = "agentkube",
    namespaced,
    status = "LLMGatewayStatus",
    derive = "PartialEq",
    doc = "An LLMGateway is one endpoint in front of model providers: it holds their \
           credentials, routes each request to an upstream that serves the model, and speaks \
           OpenAI and Anthropic to its clients. It becomes a Deployment and a Service named \
           <name>-llm.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every replica serves the current spec"
    ),
    printcolumn(
        name = "Models",
        type_ = "integer",
        json_path = ".status.summary.models",
        description = "Models that clients can ask for"
    ),
    printcolumn(
        name = "Upstreams",
        type_ = "string",
        json_path = ".status.summary.upstreams",
        description = "Usable upstreams of all upstreams"
    ),
    printcolumn(
        name = "Clients",
        type_ = "integer",
        json_path = ".status.summary.clients",
        description = "Clients that hold a key"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Default model",
        type_ = "string",
        json_path = ".spec.routing.defaultModel",
        priority = 1,
        description = "Model of requests that name none"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is, or is not, ready"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        priority = 1,
        json_path = ".status.endpoint",
        description = "Where it answers inside the cluster"
    ),
    crates(
        kube_core = "::kube_core",
        k8s_openapi = "::k8s_openapi",
        schemars = "::schemars",
        serde = "::serde",
        serde_json = "::serde_json"
    )
)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new(
        "!has(self.caching) || !self.caching.enabled || self.caching.scope != 'client' \
         || self.auth.mode != 'none'"
    ).message(
        "a cache for each client needs to know the clients: write auth.mode apikey, or \
         caching.scope gateway to share answers among all callers"
    ).field_path(".caching.scope")
)]
#[serde(rename_all = "camelCase")]
pub struct LLMGatewaySpec {
    /// Port of the Service.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default = "port")]
    pub port: u16,
    /// Data-plane pods. `kubectl scale` and a HorizontalPodAutoscaler set it too.
    #[schemars(range(max = 1000))]
    #[serde(default = "one")]
    pub replicas: u32,
    /// The providers behind this gateway.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub upstreams: Vec<LlmUpstream>,
    /// Which model goes to which upstream, and what happens when one fails.
    #[serde(default)]
    pub routing: RoutingSpec,
    /// How much clients may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// How many dollars may be spent. Needs `prices`.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// What a million tokens of a served model cost, in US dollars, by model name.
    #[schemars(extend("maxProperties" = 512))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, Price>,
    /// What is kept out of prompts and answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Guardrails>,
    /// Answers repeated requests from memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caching: Option<Caching>,
    /// Where replicas keep what they must agree on. Without it every replica enforces its
    /// share of each limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateSpec>,
    /// What happens to a part of a request that the provider's dialect cannot carry.
    /// `lenient`: it is dropped, and the response header `x-agentkube-dropped` says so.
    /// `strict`: the request is refused with 400.
    #[serde(default)]
    pub translation: Translation,
    /// Who may call.
    #[serde(default)]
    pub auth: ClientAuthSpec,
    /// Whose agents may use this gateway.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// How the gateway's own pods are scheduled and labelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// What happens to a part of a request that the provider's dialect cannot carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Translation {
    /// It is dropped, and the answer says so.
    #[default]
    Lenient,
    /// The request is refused.
    Strict,
}
