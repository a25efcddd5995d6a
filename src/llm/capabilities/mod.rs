//! What models refuse, rename or want by default: data, not code.
//!
//! Providers drift, so the table is JSON: embedded, and replaceable by the caller.
//! All entries whose globs match apply, in the order of the table; what a later
//! one says replaces what an earlier one said.

mod table;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use table::CapabilityTable;
pub(crate) use table::matches;

use crate::ir::Effort;

/// What a model takes. The default is a model that takes everything its wire has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCapabilities {
    /// The parameters that it answers with a 400.
    pub refuses: Vec<Parameter>,
    /// What the limit of output is called.
    pub max_tokens_field: MaxTokensField,
    /// The limit of output to ask for when the client names none and the wire
    /// insists on one.
    pub default_max_tokens: Option<u64>,
    /// It takes `temperature` or `top_p`, not both.
    pub one_sampling_parameter: bool,
    /// How thinking is asked for.
    pub thinking: ThinkingStyle,
    /// The efforts that it knows; others are brought to the nearest. Empty: all.
    pub efforts: Vec<Effort>,
    /// An effort can be asked for in words (else a budget is computed from it).
    pub takes_effort: bool,
    /// A conversation may end with a turn of the model.
    pub prefill: bool,
    /// Instructions may stand in the middle of a conversation.
    pub system_turns: bool,
    /// Output by a JSON schema.
    pub json_schema: bool,
    /// The name of the field in which it takes its thoughts back (OpenAI's wire
    /// has none of its own).
    pub reasoning_field: ReasoningField,
    /// Its calls must come back signed, or say that the signature was lost (Gemini).
    pub signed_calls: bool,
    /// The results of tools may show pictures and documents (Gemini).
    pub media_in_results: bool,
    /// Whose words `additionalModelRequestFields` are in (Bedrock).
    pub converse_extras: ConverseExtras,
    /// Where breakpoints of the prompt cache may stand (Bedrock).
    pub cache_points: CachePoints,
    /// It can be asked for one call at a time (Bedrock).
    pub serial_calls: bool,
    /// The context window to ask for: tokens (Ollama, whose own may be smaller than the
    /// model's).
    pub num_ctx: Option<u64>,
    /// The values of `anthropic-beta` that it takes, and what they are called there;
    /// none: all (Claude on Vertex AI answers others with a 400).
    pub betas: Option<BTreeMap<String, String>>,
}

/// A parameter that a model may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Parameter {
    FrequencyPenalty,
    LogitBias,
    Logprobs,
    N,
    ParallelToolCalls,
    PresencePenalty,
    ReasoningEffort,
    Seed,
    Stop,
    Temperature,
    ToolChoice,
    TopK,
    TopP,
}

/// What OpenAI's wire calls the limit of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The new name.
    MaxCompletionTokens,
    /// The old one, which compatible servers know.
    #[default]
    MaxTokens,
}

/// How a model of Anthropic thinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingStyle {
    /// `adaptive` only; a budget is a 400.
    Adaptive,
    /// `adaptive`, on unless disabled.
    AdaptiveByDefault,
    /// Always on: neither a budget nor `disabled` is taken.
    Always,
    /// Either.
    Both,
    /// `enabled` with a budget.
    #[default]
    Budget,
    /// It does not.
    None,
}

/// Where compatible servers take thoughts back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    /// Nowhere: an unknown field would be refused.
    #[default]
    None,
    /// `reasoning` (Ollama).
    Reasoning,
    /// `reasoning_content` (vLLM and the models that began with it).
    ReasoningContent,
}

/// Whose words Bedrock takes for what only some models have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConverseExtras {
    /// `thinking`, `output_config`, `top_k`.
    Anthropic,
    /// Nobody's.
    #[default]
    None,
    /// `reasoningConfig`, `inferenceConfig.topK`.
    Nova,
    /// `reasoning_effort`.
    #[serde(rename = "openai")]
    OpenAi,
}

/// Where Bedrock takes breakpoints of the prompt cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CachePoints {
    /// Behind tools as well.
    Everywhere,
    /// In messages and in the system prompt.
    Content,
    /// Nowhere.
    #[default]
    Nowhere,
}

impl ModelCapabilities {
    /// True when the model answers this parameter with a 400.
    #[must_use]
    pub fn refuses(&self, parameter: Parameter) -> bool {
        self.refuses.contains(&parameter)
    }

    /// The nearest effort that the model knows: the strongest that is not
    /// stronger, else the weakest.
    #[must_use]
    pub fn nearest(&self, effort: Effort) -> Effort {
        if self.efforts.is_empty() || self.efforts.contains(&effort) {
            return effort;
        }
        let known = || self.efforts.iter().copied();
        known()
            .filter(|it| *it < effort)
            .max()
            .or_else(|| known().min())
            .unwrap_or(effort)
    }
}

#[cfg(test)]
mod tests;
