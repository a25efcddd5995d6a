//! IR → the request for a provider.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::messages::{self, Out};
use super::thinking::{self, OutThinking};
use super::tools::{self, OutTool, OutToolConfig};
use crate::capabilities::Parameter;
use crate::codec::{Encode, Encoded};
use crate::ir::{ChatRequest, Field, ResponseFormat};
use crate::{ApiError, Dialect};

/// Stop texts that are taken.
const STOPS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    contents: Vec<Out<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<OutToolConfig<'a>>,
    #[serde(skip_serializing_if = "OutConfig::is_empty")]
    generation_config: OutConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a RawValue>,
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Schema<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<OutThinking>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Schema<'a>(&'a RawValue);

impl PartialEq for Schema<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl OutConfig<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Writes a request.
pub(in crate::gemini) fn from_ir(
    request: &ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Encoded, ApiError> {
    to.drop_unknown(request, Dialect::Gemini);
    let tools = tools::write(request, to);
    let body = Request {
        contents: messages::write(request, to)?,
        system_instruction: messages::system(request, to),
        tool_config: tools::choice(request, !tools.is_empty(), to),
        tools,
        generation_config: config(request, to),
        labels: labels(request, to),
    };
    Ok(Encoded {
        // Our own structs: string keys, no fallible parts.
        body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
    })
}

fn config<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> OutConfig<'a> {
    let from = &request.sampling;
    let biased = |raw: &&RawValue| raw.get() != "{}";
    if from.logit_bias.as_deref().filter(biased).is_some() {
        to.drop_top(Field::LogitBias);
    }
    if request.user.is_some() {
        to.drop_top(Field::User);
    }
    let (response_mime_type, schema) = match &request.response_format {
        None => (None, None),
        Some(ResponseFormat::JsonObject) => (Some("application/json"), None),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            (Some("application/json"), Some(Schema(schema)))
        }
    };
    let logprobs = taken(
        request.logprobs.as_ref(),
        Parameter::Logprobs,
        Field::Logprobs,
        to,
    );
    OutConfig {
        max_output_tokens: request.max_tokens,
        stop_sequences: stop(request, to),
        temperature: from.temperature.as_ref(),
        top_p: from.top_p.as_ref(),
        top_k: from.top_k.as_ref(),
        frequency_penalty: taken(
            from.frequency_penalty.as_ref(),
            Parameter::FrequencyPenalty,
            Field::FrequencyPenalty,
            to,
        ),
        presence_penalty: taken(
            from.presence_penalty.as_ref(),
            Parameter::PresencePenalty,
            Field::PresencePenalty,
            to,
        ),
        seed: from.seed.as_ref(),
        candidate_count: request.choices.filter(|n| *n != 1),
        response_logprobs: logprobs.map(|_| true),
        logprobs: logprobs.and_then(|it| it.top).filter(|top| *top > 0),
        response_mime_type,
        response_json_schema: schema,
        thinking_config: thinking::ask(request.reasoning.as_ref(), to),
    }
}

/// The value, unless the model refuses it.
fn taken<'a, T>(
    value: Option<&'a T>,
    parameter: Parameter,
    field: Field,
    to: &mut Encode<'_>,
) -> Option<&'a T> {
    let value = value?;
    if to.capabilities.refuses(parameter) {
        to.drop_top(field);
        return None;
    }
    Some(value)
}

fn stop<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> &'a [String] {
    if request.stop.len() > STOPS {
        to.drop_top(Field::Stop);
    }
    request.stop.get(..STOPS).unwrap_or(&request.stop)
}

/// Labels are for bills: small letters, digits, `_` and `-`, at most 63 of them.
fn labels<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<&'a RawValue> {
    let raw = request.metadata.as_deref()?;
    let pairs: Map<String, Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    if raw.get() == "{}" {
        return None;
    }
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_label = |text: &str| text.len() <= 63 && text.chars().all(legal);
    let fits = |(key, value): (&String, &Value)| {
        key.starts_with(|c: char| c.is_ascii_lowercase())
            && is_label(key)
            && value.as_str().is_some_and(is_label)
    };
    if !(1..=64).contains(&pairs.len()) || !pairs.iter().all(fits) {
        to.drop_top(Field::Metadata);
        return None;
    }
    Some(raw)
}
