//! IR → the request for a provider.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::messages;
use crate::capabilities::Parameter;
use crate::codec::{Encode, Encoded};
use crate::ir::{
    ChatRequest, Effort, Field, Reasoning, ResponseFormat, Tool, ToolChoice, ToolKind,
};
use crate::openai::effort;
use crate::{ApiError, Dialect};

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<messages::Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    /// Never left out: it would be true.
    stream: bool,
    /// A prompt that does not fit is an error to clients of all other dialects, not
    /// shortened in silence.
    truncate: bool,
    /// And a full context window ends the answer.
    shift: bool,
}

#[derive(Serialize)]
struct OutTool<'a> {
    r#type: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutFormat<'a> {
    Json(&'static str),
    Schema(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Think {
    Switch(bool),
    Level(&'static str),
}

#[derive(Default, Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u64>,
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
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
}

impl Options<'_> {
    fn is_empty(&self) -> bool {
        let numbers = [
            self.temperature,
            self.top_p,
            self.top_k,
            self.frequency_penalty,
            self.presence_penalty,
            self.seed,
        ];
        let limits = [self.num_ctx, self.num_predict];
        limits.iter().all(Option::is_none)
            && self.stop.is_empty()
            && numbers.iter().all(Option::is_none)
    }
}

/// Writes a request.
pub(in crate::ollama) fn from_ir(
    request: &ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Encoded, ApiError> {
    to.drop_unknown(request, Dialect::OllamaChat);
    drop_parameters(request, to);
    let body = Request {
        model: to.model,
        messages: messages::Writer::default().write(request, to)?,
        tools: tools(request, to),
        format: request.response_format.as_ref().map(format),
        think: think(request.reasoning.as_ref(), to),
        options: options(request, to),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.and_then(|it| it.top),
        stream: request.stream,
        truncate: false,
        shift: false,
    };
    Ok(Encoded {
        // Our own structs: string keys, no fallible parts.
        body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
    })
}

/// What this wire has no field for. What says no more than the default is no loss.
fn drop_parameters(request: &ChatRequest, to: &mut Encode<'_>) {
    let biased = |raw: &RawValue| raw.get() != "{}";
    let bias = request.sampling.logit_bias.as_deref();
    for (asked, field) in [
        (bias.is_some_and(biased), Field::LogitBias),
        (request.choices.is_some_and(|n| n != 1), Field::Choices),
        (request.user.is_some(), Field::User),
        (
            request.metadata.as_deref().is_some_and(biased),
            Field::Metadata,
        ),
        (
            request.parallel_tool_calls == Some(false) && !request.tools.is_empty(),
            Field::ParallelToolCalls,
        ),
    ] {
        if asked {
            to.drop_top(field);
        }
    }
}

fn options<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Options<'a> {
    let from = &request.sampling;
    let num_ctx = to.capabilities.num_ctx;
    let mut taken = |value: &'a Option<Number>, parameter, field| {
        let value = value.as_ref()?;
        if to.capabilities.refuses(parameter) {
            to.drop_top(field);
            return None;
        }
        Some(value)
    };
    Options {
        num_ctx,
        num_predict: request.max_tokens,
        temperature: taken(
            &from.temperature,
            Parameter::Temperature,
            Field::Temperature,
        ),
        top_p: taken(&from.top_p, Parameter::TopP, Field::TopP),
        // It is the provider's OpenAI wire that refuses it.
        top_k: from.top_k.as_ref(),
        frequency_penalty: taken(
            &from.frequency_penalty,
            Parameter::FrequencyPenalty,
            Field::FrequencyPenalty,
        ),
        presence_penalty: taken(
            &from.presence_penalty,
            Parameter::PresencePenalty,
            Field::PresencePenalty,
        ),
        seed: taken(&from.seed, Parameter::Seed, Field::Seed),
        stop: &request.stop,
    }
}

/// The wire has no choice among tools; fewer tools are one.
fn tools<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
    let allowed: Option<Vec<&str>> = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => Some(Vec::new()),
        Some(ToolChoice::Required) => {
            to.drop_top(Field::ToolChoice);
            None
        }
        Some(ToolChoice::Named(name)) => {
            to.drop_top(Field::ToolChoice);
            Some(vec![name])
        }
        Some(ToolChoice::Allowed { names, required }) => {
            if *required {
                to.drop_top(Field::ToolChoice);
            }
            Some(names.iter().map(String::as_str).collect())
        }
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for Tool { kind, cache, at } in &request.tools {
        if cache.is_some() {
            to.drop(*at, Field::CacheControl);
        }
        let ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } = kind
        else {
            to.drop(*at, Field::Whole);
            continue;
        };
        if *strict == Some(true) {
            to.drop(*at, Field::ToolStrict);
        }
        if allowed
            .as_ref()
            .is_none_or(|names| names.contains(&name.as_str()))
        {
            tools.push(OutTool {
                r#type: "function",
                function: OutFunction {
                    name,
                    description: description.as_deref(),
                    parameters: parameters.as_deref(),
                },
            });
        }
    }
    tools
}

/// The schema is always kept to; names and descriptions of it say nothing.
fn format(format: &ResponseFormat) -> OutFormat<'_> {
    match format {
        ResponseFormat::JsonObject => OutFormat::Json("json"),
        ResponseFormat::JsonSchema { schema, .. } => OutFormat::Schema(schema),
    }
}

fn think(reasoning: Option<&Reasoning>, to: &mut Encode<'_>) -> Option<Think> {
    let asked = reasoning?;
    if asked.enabled == Some(false) || asked.effort == Some(Effort::None) {
        return Some(Think::Switch(false));
    }
    match effort(reasoning, to) {
        Some(level) => Some(Think::Level(level)),
        None => {
            let refused = to.capabilities.refuses(Parameter::ReasoningEffort);
            let enabled = asked.enabled.filter(|_| !refused)?;
            Some(Think::Switch(enabled))
        }
    }
}
