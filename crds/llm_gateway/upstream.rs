//! One provider endpoint of an `LLMGateway`.

use std::collections::BTreeMap;

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;
use crate::shared::{DurationText, SecretRef, one};

/// One provider endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new(
        "has(self.endpoint) || !(self.provider in ['ollama', 'vllm', 'azure-openai'])"
    ).message(
        "ollama, vllm and azure-openai have no public address: write the endpoint, for example \
         http://ollama.ai.svc:11434"
    ).field_path(".endpoint").reason(Reason::FieldValueRequired),
    validation = Rule::new(
        "has(self.credentialsRef) || !(self.provider in ['openai', 'anthropic'])"
    ).message(
        "openai and anthropic need an API key: write credentialsRef {name, key}, a Secret of \
         this namespace"
    ).field_path(".credentialsRef").reason(Reason::FieldValueRequired),
    validation = Rule::new(
        "!has(self.credentialsRef) || has(self.credentialsRef.key) || self.provider == 'bedrock'"
    ).message(
        "write the key: the entry of the Secret that holds the credentials (only bedrock may \
         leave it out)"
    ).field_path(".credentialsRef.key").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.provider != 'bedrock' || has(self.region)").message(
        "bedrock needs a region, for example us-east-1"
    ).field_path(".region").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.provider == 'bedrock' || !has(self.region)").message(
        "region belongs to bedrock: remove it, or write provider bedrock"
    ).field_path(".region").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.provider != 'vertex' || has(self.project)").message(
        "vertex needs a project: the id of the Google Cloud project"
    ).field_path(".project").reason(Reason::FieldValueRequired),
    validation = Rule::new("self.provider == 'vertex' || !has(self.project)").message(
        "project belongs to vertex: remove it, or write provider vertex"
    ).field_path(".project").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.provider == 'vertex' || !has(self.location)").message(
        "location belongs to vertex: remove it, or write provider vertex"
    ).field_path(".location").reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.provider == 'azure-openai' || !has(self.apiVersion)").message(
        "apiVersion belongs to azure-openai: remove it, or write provider azure-openai"
    ).field_path(".apiVersion").reason(Reason::FieldValueForbidden),
    validation = Rule::new(
        "self.provider in ['ollama', 'vllm'] || (has(self.models) && size(self.models) > 0)"
    ).message(
        "list the models that this upstream serves (only ollama and vllm can be asked)"
    ).field_path(".models").reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct LlmUpstream {
    /// Name of the upstream, unique in this gateway. Metrics, status and
    /// `routing.modelMap[].upstream` use it.
    #[schemars(schema_with = "schemas::dns_label_32")]
    pub name: String,
    /// The provider: `openai` (and whatever speaks its API at `endpoint`), `anthropic`,
    /// `bedrock`, `vertex`, `azure-openai`, `ollama` or `vllm`.
    pub provider: ProviderName,
    /// Overrides the provider's base URL, written as its official SDK takes it. openai,
    /// vllm, ollama: a trailing `/v1` is optional; anthropic, bedrock, vertex: the host;
    /// azure-openai: the resource's host. A Service name of the cluster and a path prefix
    /// are fine. Required for ollama, vllm and azure-openai.
    #[schemars(schema_with = "schemas::base_url")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The Secret of this namespace that holds the credentials. openai, anthropic
    /// (required), azure-openai, vllm: an API key. vertex: the JSON of a service account or
    /// of an external account. bedrock: with `key` a bearer key, without it the entries
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Absent: workload
    /// identity (bedrock, vertex, azure-openai) or none (ollama, vllm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretRef>,
    /// bedrock: the AWS region (required).
    #[schemars(schema_with = "schemas::url_part")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// vertex: the Google Cloud project (required).
    #[schemars(schema_with = "schemas::url_part")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// vertex: the location. Default global.
    #[schemars(schema_with = "schemas::url_part")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// azure-openai: written, the legacy deployments API of that version is used; absent,
    /// the `/openai/v1` API.
    #[schemars(schema_with = "schemas::url_part")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// What this upstream calls a model that the gateway serves, by the served name: an Azure
    /// deployment, a Bedrock inference profile, a Vertex version. So one served name may have
    /// several providers behind it.
    #[schemars(extend("maxProperties" = 512), extend("additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 256}))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub model_names: BTreeMap<String, String>,
    /// Models that this upstream serves: names, or prefixes such as `gpt-5*`. Required except
    /// for ollama and vllm, which are asked when it is empty.
    #[schemars(schema_with = "schemas::model_patterns_256")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Of the upstreams that serve a model, those with the lowest number come first; the
    /// others are used when these fail.
    #[schemars(range(max = 1000))]
    #[serde(default = "one")]
    pub priority: u32,
    /// Share of the requests among upstreams of the same priority. Absent counts as 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// How long one attempt may take.
    #[serde(default)]
    pub timeouts: LlmTimeouts,
}

/// A model provider.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderName {
    /// Anthropic Messages.
    Anthropic,
    /// Azure OpenAI.
    AzureOpenai,
    /// Amazon Bedrock.
    Bedrock,
    /// Ollama.
    Ollama,
    /// OpenAI, or whatever speaks its API.
    Openai,
    /// Google Vertex AI.
    Vertex,
    /// vLLM.
    Vllm,
}

/// How long one attempt may take. There is no bound on a whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct LlmTimeouts {
    /// For the TCP connection and TLS.
    #[serde(default = "connect")]
    pub connect: DurationText,
    /// From the request to the first token, or to the head of an answer that is not streamed.
    #[serde(default = "a_minute")]
    pub first_token: DurationText,
    /// Between two pieces of an answer.
    #[serde(default = "a_minute")]
    pub idle: DurationText,
}

fn connect() -> DurationText {
    "5s".into()
}

fn a_minute() -> DurationText {
    "60s".into()
}

impl Default for LlmTimeouts {
    fn default() -> Self {
        Self {
            connect: connect(),
            first_token: a_minute(),
            idle: a_minute(),
        }
    }
}
