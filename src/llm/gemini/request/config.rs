//! A client's `generationConfig` → IR.

use serde_json::Number;

use super::super::schema::to_json_schema;
use super::read::note;
use super::wire::{Config, ThinkingConfig};
use crate::ApiError;
use crate::ir::{At, ChatRequest, Effort, Logprobs, Reasoning, ResponseFormat, Sampling, Unknown};
use crate::object::{Rest, Text, invalid};

const PREFIX: &str = "generationConfig.";

/// Reads it.
pub(super) fn read(mut config: Config<'_>, request: &mut ChatRequest) -> Result<(), ApiError> {
    note(
        &mut request.unknown,
        At::default(),
        PREFIX,
        &telling(config.rest),
    );
    config.rest = Rest::new();
    request.max_tokens = config.max_tokens;
    let stop = config.stop.unwrap_or_default().into_iter();
    request.stop = stop.map(Text::into_string).collect();
    request.choices = config.candidates;
    request.sampling = Sampling {
        temperature: config.temperature,
        top_p: config.top_p,
        top_k: config.top_k.map(whole),
        frequency_penalty: config.frequency_penalty,
        presence_penalty: config.presence_penalty,
        seed: config.seed,
        logit_bias: None,
    };
    request.logprobs = config.logprobs.unwrap_or_default().then_some(Logprobs {
        top: config.top_logprobs,
    });
    let schema = config.json_schema.map(ToOwned::to_owned);
    let schema = schema.or_else(|| config.schema.map(to_json_schema));
    request.response_format = match (config.mime_type.as_ref().map(Text::as_str), schema) {
        (_, Some(schema)) => Some(ResponseFormat::JsonSchema {
            name: None,
            description: None,
            schema,
            strict: Some(true),
        }),
        (Some("application/json"), None) => Some(ResponseFormat::JsonObject),
        (None | Some("" | "text/plain"), None) => None,
        (Some(_), None) => {
            request.unknown.push(Unknown {
                at: At::default(),
                name: format!("{PREFIX}responseMimeType"),
            });
            None
        }
    };
    if let Some(thinking) = config.thinking {
        let path = format!("{PREFIX}thinkingConfig.");
        note(&mut request.unknown, At::default(), &path, &thinking.rest);
        request.reasoning = reasoning(&thinking)?;
    }
    Ok(())
}

/// Members that say more than what is so anyway.
fn telling(rest: Rest<'_>) -> Rest<'_> {
    let mut rest = rest;
    rest.retain(|(name, value)| {
        let text: String = value.get().split_whitespace().collect();
        let name = name.replace('_', "").to_ascii_lowercase();
        !(name == "responsemodalities" && matches!(text.as_str(), "[\"TEXT\"]" | "[]"))
    });
    rest
}

/// The SDK's type of a whole number is a float.
fn whole(number: Number) -> Number {
    let float = number.as_f64().filter(|it| it.fract() == 0.0 && *it >= 0.0);
    let text = float.map(|float| format!("{float:.0}"));
    let whole = text.and_then(|text| text.parse::<u64>().ok());
    whole.map_or(number, Number::from)
}

fn reasoning(config: &ThinkingConfig<'_>) -> Result<Option<Reasoning>, ApiError> {
    let mut reasoning = Reasoning::default();
    match config.budget {
        None => {}
        Some(0) => reasoning.enabled = Some(false),
        Some(budget) => {
            reasoning.enabled = Some(true);
            reasoning.budget = u64::try_from(budget).ok();
            reasoning.adaptive = reasoning.budget.is_none();
        }
    }
    if let Some(level) = &config.level {
        let word = level.as_str().to_ascii_lowercase();
        if word != "thinking_level_unspecified" {
            let effort = Effort::of(&word).ok_or_else(|| {
                invalid(
                    "generationConfig.thinkingConfig.thinkingLevel",
                    "must be one of MINIMAL, LOW, MEDIUM, HIGH, XHIGH",
                )
            })?;
            reasoning.effort = Some(effort);
        }
    }
    reasoning.show = config.show;
    // Not to show what nobody asked for goes without saying.
    let only_hides = Reasoning {
        show: Some(false),
        ..Reasoning::default()
    };
    let says = reasoning != Reasoning::default() && reasoning != only_hides;
    Ok(says.then_some(reasoning))
}
