//! IR → the request for a provider.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::additional::{self, Additional, Thinks};
use super::messages::{Out, OutBlock, Writer};
use super::tools::{self, OutTools};
use crate::capabilities::Parameter;
use crate::codec::{Encode, Encoded};
use crate::ir::{ChatRequest, Field, ResponseFormat};
use crate::{ApiError, Dialect, subset};

/// For a model that the table does not know, where thinking needs a limit.
const MAX_TOKENS: u64 = 8192;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    messages: Vec<Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<OutBlock<'a>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<OutTools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    additional_model_request_fields: Additional<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
}

impl Inference<'_> {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    text_format: TextFormat<'a>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    /// JSON in a string.
    schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// Writes a request.
pub(in crate::bedrock) fn from_ir(
    request: &ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Encoded, ApiError> {
    to.drop_unknown(request, Dialect::BedrockConverse);
    drop_parameters(request, to);
    let limit = request.max_tokens.or(to.capabilities.default_max_tokens);
    let (additional, thinks) = additional::write(request, limit.unwrap_or(MAX_TOKENS), to);
    let mut writer = Writer::default();
    let body = Request {
        system: writer.system(request, to),
        messages: writer.messages(request, to)?,
        inference_config: inference(request, limit, &thinks, to),
        tool_config: tools::write(request, to),
        output_config: output_config(request, to),
        request_metadata: metadata(request, to),
        additional_model_request_fields: additional,
    };
    Ok(Encoded {
        // Our own structs: string keys, no fallible parts.
        body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
    })
}

/// What this wire has no field for. What says no more than the default is no loss.
fn drop_parameters(request: &ChatRequest, to: &mut Encode<'_>) {
    let sampling = &request.sampling;
    let says = |number: &Option<Number>| {
        number
            .as_ref()
            .is_some_and(|number| number.as_f64() != Some(0.0))
    };
    let biased = |raw: &RawValue| raw.get() != "{}";
    for (asked, field) in [
        (says(&sampling.frequency_penalty), Field::FrequencyPenalty),
        (says(&sampling.presence_penalty), Field::PresencePenalty),
        (sampling.seed.is_some(), Field::Seed),
        (
            sampling.logit_bias.as_deref().is_some_and(biased),
            Field::LogitBias,
        ),
        (request.choices.is_some_and(|n| n != 1), Field::Choices),
        (request.logprobs.is_some(), Field::Logprobs),
        (
            request.logprobs.is_some_and(|it| it.top.is_some()),
            Field::TopLogprobs,
        ),
        (request.user.is_some(), Field::User),
    ] {
        if asked {
            to.drop_top(field);
        }
    }
}

fn inference<'a>(
    request: &'a ChatRequest,
    limit: Option<u64>,
    thinks: &Thinks,
    to: &mut Encode<'_>,
) -> Inference<'a> {
    let mut max_tokens = request.max_tokens;
    if thinks.with_budget {
        max_tokens = max_tokens.or(limit).or(Some(MAX_TOKENS));
    }
    if thinks.hard && max_tokens.take().is_some() {
        to.drop_top(Field::MaxTokens);
    }
    Inference {
        max_tokens,
        temperature: temperature(request, thinks, to),
        top_p: top_p(request, thinks, to),
        stop_sequences: stop(request, to),
    }
}

/// 0 to 1 here, up to 2 elsewhere; 1 is the default.
fn temperature(request: &ChatRequest, thinks: &Thinks, to: &mut Encode<'_>) -> Option<Number> {
    let wanted = request.sampling.temperature.as_ref()?;
    let is_default = wanted.as_f64() == Some(1.0);
    let forbidden = thinks.with_budget || thinks.hard;
    if forbidden || to.capabilities.refuses(Parameter::Temperature) {
        if !is_default {
            to.drop_top(Field::Temperature);
        }
        return None;
    }
    if wanted.as_f64().is_some_and(|value| value > 1.0) {
        to.drop_top(Field::Temperature);
        return Some(Number::from(1));
    }
    Some(wanted.clone())
}

fn top_p<'a>(request: &'a ChatRequest, thinks: &Thinks, to: &mut Encode<'_>) -> Option<&'a Number> {
    let wanted = request.sampling.top_p.as_ref()?;
    let is_default = wanted.as_f64() == Some(1.0);
    let crowded = to.capabilities.one_sampling_parameter && request.sampling.temperature.is_some();
    if thinks.hard || crowded || to.capabilities.refuses(Parameter::TopP) {
        if !is_default {
            to.drop_top(Field::TopP);
        }
        return None;
    }
    Some(wanted)
}

/// Stop texts must have more than white space in them.
fn stop<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<&'a str> {
    let usable = |text: &&str| !text.trim().is_empty();
    let all = request.stop.iter().map(String::as_str);
    let stop: Vec<&str> = all.filter(usable).collect();
    if stop.len() < request.stop.len() {
        to.drop_top(Field::Stop);
    }
    stop
}

fn output_config<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<OutputConfig<'a>> {
    let ResponseFormat::JsonSchema {
        name,
        description,
        schema,
        ..
    } = request.response_format.as_ref()?
    else {
        to.drop_top(Field::ResponseFormat);
        return None;
    };
    let fitted = subset::for_anthropic(schema, to).filter(|_| to.capabilities.json_schema);
    if fitted.as_ref().is_none_or(|it| it.looser) {
        to.drop_top(Field::ResponseFormat);
    }
    let schema = match fitted?.schema {
        Cow::Borrowed(schema) => Cow::Borrowed(schema.get()),
        Cow::Owned(schema) => Cow::Owned(schema.get().to_owned()),
    };
    Some(OutputConfig {
        text_format: TextFormat {
            r#type: "json_schema",
            structure: Structure {
                json_schema: Schema {
                    schema,
                    name: name.as_deref(),
                    description: description.as_deref(),
                },
            },
        },
    })
}

/// At most 16 pairs of short plain texts, which AWS writes into its invocation log.
fn metadata<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<&'a RawValue> {
    const PAIRS: usize = 16;
    let raw = request.metadata.as_deref()?;
    let pairs: Map<String, Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    let fits = |(key, value): (&String, &Value)| {
        let value = value.as_str();
        !key.is_empty() && is_plain(key) && value.is_some_and(is_plain)
    };
    if raw.get() == "{}" {
        return None;
    }
    if !(1..=PAIRS).contains(&pairs.len()) || !pairs.iter().all(fits) {
        to.drop_top(Field::Metadata);
        return None;
    }
    Some(raw)
}

fn is_plain(text: &str) -> bool {
    let legal =
        |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    text.len() <= 256 && text.chars().all(legal)
}
