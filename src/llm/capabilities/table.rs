//! The table: globs over names, laid over each other.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    CachePoints, ConverseExtras, MaxTokensField, ModelCapabilities, Parameter, ReasoningField,
    ThinkingStyle,
};
use crate::ir::Effort;

pub(super) const EMBEDDED: &str = include_str!("models.json");

/// The table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityTable {
    /// What this edition of it is called.
    pub version: String,
    pub(super) models: Vec<Entry>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
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
    system_turns: Option<bool>,
    json_schema: Option<bool>,
    reasoning_field: Option<ReasoningField>,
    signed_calls: Option<bool>,
    media_in_results: Option<bool>,
    converse_extras: Option<ConverseExtras>,
    cache_points: Option<CachePoints>,
    serial_calls: Option<bool>,
    num_ctx: Option<u64>,
    betas: Option<BTreeMap<String, String>>,
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

    /// Lays the entries of another table over these.
    pub fn lay_over(&mut self, over: Self) {
        self.version = over.version;
        self.models.extend(over.models);
    }

    /// What a model takes that has several names, by the first of them that says
    /// something: deployments and inference profiles are called as their owners
    /// like.
    #[must_use]
    pub fn of_first_known(&self, provider: &str, names: &[&str]) -> ModelCapabilities {
        let known = names.iter().find(|name| self.knows(provider, name));
        self.of(
            provider,
            known.or(names.first()).copied().unwrap_or_default(),
        )
    }

    /// True when an entry is about this model, and not about all of them.
    fn knows(&self, provider: &str, model: &str) -> bool {
        let model = model.to_ascii_lowercase();
        let mut entries = self.models.iter();
        entries.any(|entry| {
            let mut globs = entry.names.iter().filter(|glob| *glob != "*");
            entry.is_of(provider) && globs.any(|glob| matches(glob, &model))
        })
    }

    /// What a model of a provider (`openai`, `anthropic`, `bedrock` …) takes.
    #[must_use]
    pub fn of(&self, provider: &str, model: &str) -> ModelCapabilities {
        let model = model.to_ascii_lowercase();
        let mut found = ModelCapabilities {
            prefill: true,
            system_turns: true,
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
    fn is_of(&self, provider: &str) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|name| name == provider)
    }

    fn applies(&self, provider: &str, model: &str) -> bool {
        self.is_of(provider) && self.names.iter().any(|glob| matches(glob, model))
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
        set(&mut found.system_turns, self.system_turns.as_ref());
        set(&mut found.json_schema, self.json_schema.as_ref());
        set(&mut found.reasoning_field, self.reasoning_field.as_ref());
        set(&mut found.signed_calls, self.signed_calls.as_ref());
        set(&mut found.media_in_results, self.media_in_results.as_ref());
        set(&mut found.converse_extras, self.converse_extras.as_ref());
        set(&mut found.cache_points, self.cache_points.as_ref());
        set(&mut found.serial_calls, self.serial_calls.as_ref());
        set(
            &mut found.one_sampling_parameter,
            self.one_sampling_parameter.as_ref(),
        );
        if self.betas.is_some() {
            found.betas.clone_from(&self.betas);
        }
        found.num_ctx = self.num_ctx.or(found.num_ctx);
        found.default_max_tokens = self.default_max_tokens.or(found.default_max_tokens);
    }
}

/// `*` stands for any text.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    // Of most globs the first letter is another one.
    let first = glob.as_bytes().first();
    if first != Some(&b'*') && first != name.as_bytes().first() {
        return false;
    }
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
