//! `guardrails` of an `LLMGateway`: what is kept out of prompts and answers.

use kube_derive::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schemas;

/// What is kept out of prompts and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("!has(self.pii) || !has(self.piiRedaction) || self.piiRedaction").message(
        "pii implies piiRedaction: remove piiRedaction false, or remove pii"
    ).field_path(".piiRedaction")
)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// Redacts personal data in requests and answers, with the defaults of `pii`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii_redaction: Option<bool>,
    /// Which personal data is found and what happens to it. Implies `piiRedaction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii: Option<PiiSpec>,
    /// Filters over what clients send.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_filters: Vec<InputFilter>,
    /// Filters over what models answer.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_filters: Vec<OutputFilter>,
    /// What a filter that matches does. `block`: the request fails. `flag`: it is counted and
    /// the answer's headers say so. Personal data has its own `pii.mode`.
    #[serde(default)]
    pub on_match: FilterAction,
}

/// Which personal data is found and what happens to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    crates(kube_core = "::kube_core"),
    validation = Rule::new("self.mode != 'tokenize' || self.apply != 'response'").message(
        "tokenize replaces in the request and restores in the answer: write apply both or request"
    ).field_path(".apply")
)]
#[serde(rename_all = "camelCase")]
pub struct PiiSpec {
    /// What is looked for. Default: all but `ip`.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<PiiEntity>>,
    /// Patterns of your own.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomPii>,
    /// What happens to it. `redact`: replaced by its kind. `mask`: all but the last digits
    /// replaced. `tokenize`: replaced by a token that is turned back in the answer. `block`:
    /// the request fails.
    #[serde(default)]
    pub mode: PiiMode,
    /// Where it is looked for.
    #[serde(default)]
    pub apply: PiiApply,
}

/// A pattern of your own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(crates(kube_core = "::kube_core"))]
#[serde(rename_all = "camelCase")]
pub struct CustomPii {
    /// Name that replaces a match and that metrics use.
    #[schemars(schema_with = "schemas::dns_label_32")]
    pub name: String,
    /// A regular expression (Rust `regex` syntax: linear time, no look-around).
    #[schemars(length(min = 1, max = 4096))]
    pub pattern: String,
}

/// Personal data and secrets that are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PiiEntity {
    /// Payment card numbers.
    Card,
    /// E-mail addresses.
    Email,
    /// Bank accounts.
    Iban,
    /// IP addresses.
    Ip,
    /// JSON web tokens.
    Jwt,
    /// Phone numbers.
    Phone,
    /// PEM private keys.
    PrivateKey,
    /// API keys and the like.
    Secret,
    /// US social security numbers.
    Ssn,
}

/// What happens to personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PiiMode {
    /// The request fails.
    Block,
    /// All but the last digits are replaced.
    Mask,
    /// Replaced by its kind.
    #[default]
    Redact,
    /// Replaced by a token that is turned back in the answer.
    Tokenize,
}

/// Where personal data is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PiiApply {
    /// In both.
    #[default]
    Both,
    /// In what clients send.
    Request,
    /// In what models answer.
    Response,
}

/// A filter over what clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputFilter {
    /// Attempts to override the instructions of the application.
    PromptInjection,
}

/// A filter over what models answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFilter {
    /// Credentials of known shapes.
    Secrets,
}

/// What a filter that matches does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FilterAction {
    /// The request fails.
    #[default]
    Block,
    /// It is counted and said.
    Flag,
}
