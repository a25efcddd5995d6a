//! What models refuse, rename or want by default: data, not code.
//!
//! Providers drift, so the table is JSON: embedded, and replaceable by the caller.
//! All entries whose globs match apply, in the order of the table; what a later
//! one says replaces what an earlier one said.

use serde::Deserialize;

use crate::ir::Effort;

const EMBEDDED: &str = include_str!("models.json");

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
    /// Output by a JSON schema.
    pub json_schema: bool,
    /// The name of the field in which it takes its thoughts back (OpenAI's wire
    /// has none of its own).
    pub reasoning_field: ReasoningField,
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

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityTable {
    /// What this edition of it is called.
    pub version: String,
    models: Vec<Entry>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    /// Globs over the model's name, lower case; `*` only.
    names: Vec<String>,
    /// Providers, by their names in specs; empty: all.
    providers: Vec<String>,
    refuses: Option<Vec<Parameter>>,
    max_tokens_field: Option<MaxTokensField>,
    default_max_tokens: Option<u64>,
    one_sampling_parameter: Option<bool>,
    thinking: Option<ThinkingStyle>,
    efforts: Option<Vec<Effort>>,
    takes_effort: Option<bool>,
    prefill: Option<bool>,
    json_schema: Option<bool>,
    reasoning_field: Option<ReasoningField>,
    /// For readers: where it says so.
    #[serde(rename = "source")]
    _source: Option<String>,
}

impl CapabilityTable {
    /// The one that comes with this build.
    #[must_use]
    pub fn embedded() -> Self {
        // A test parses it.
        Self::parse(EMBEDDED).unwrap_or_else(|_| Self {
            version: String::new(),
            models: Vec::new(),
        })
    }

    /// Reads another one.
    ///
    /// # Errors
    /// When it is not in the shape of the embedded one.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// What a model of a provider (`openai`, `anthropic`, `bedrock` …) takes.
    #[must_use]
    pub fn of(&self, provider: &str, model: &str) -> ModelCapabilities {
        let model = model.to_ascii_lowercase();
        let mut found = ModelCapabilities {
            prefill: true,
            json_schema: true,
            takes_effort: true,
            ..ModelCapabilities::default()
        };
        for entry in &self.models {
            if entry.applies(provider, &model) {
                entry.lay_over(&mut found);
            }
        }
        found
    }
}

impl Entry {
    fn applies(&self, provider: &str, model: &str) -> bool {
        let of_provider =
            self.providers.is_empty() || self.providers.iter().any(|name| name == provider);
        of_provider && self.names.iter().any(|glob| matches(glob, model))
    }

    fn lay_over(&self, found: &mut ModelCapabilities) {
        fn set<T: Clone>(to: &mut T, from: Option<&T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        set(&mut found.refuses, self.refuses.as_ref());
        set(&mut found.max_tokens_field, self.max_tokens_field.as_ref());
        set(&mut found.thinking, self.thinking.as_ref());
        set(&mut found.efforts, self.efforts.as_ref());
        set(&mut found.takes_effort, self.takes_effort.as_ref());
        set(&mut found.prefill, self.prefill.as_ref());
        set(&mut found.json_schema, self.json_schema.as_ref());
        set(&mut found.reasoning_field, self.reasoning_field.as_ref());
        set(
            &mut found.one_sampling_parameter,
            self.one_sampling_parameter.as_ref(),
        );
        found.default_max_tokens = self.default_max_tokens.or(found.default_max_tokens);
    }
}

/// `*` stands for any text.
fn matches(glob: &str, name: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else {
        return glob == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').map_or(("", rest), |(a, b)| (a, b));
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        match name.find(piece) {
            Some(at) => name = name.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests;
