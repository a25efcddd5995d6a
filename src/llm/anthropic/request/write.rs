//! IR → the request for a provider.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::messages::{self, OutBlock, OutCache};
use super::thinking::{self, Asked, OutThinking};
use crate::capabilities::Parameter;
use crate::codec::{Encode, Encoded, Limits};
use crate::ir::{ChatRequest, Field, ResponseFormat, Tool, ToolChoice, ToolKind};
use crate::{ApiError, Dialect, subset};

/// Names of tools: `[a-zA-Z0-9_-]`, at most 128.
pub(super) const TOOL_NAME: Limits = Limits { bytes: 128 };

/// `max_tokens` is required; for a model that the table does not know.
const MAX_TOKENS: u64 = 8192;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<OutBlock<'a>>,
    messages: Vec<messages::Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<OutThinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct OutTool<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<OutCache<'a>>,
}

#[derive(Serialize)]
struct OutChoice<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutFormat<'a>>,
}

#[derive(Serialize)]
struct OutFormat<'a> {
    r#type: &'static str,
    schema: Cow<'a, RawValue>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

/// Writes a request.
pub(crate) fn from_ir(request: &ChatRequest, to: &mut Encode<'_>) -> Result<Encoded, ApiError> {
    to.drop_unknown(request, Dialect::AnthropicMessages);
    drop_parameters(request, to);
    let max_tokens = request
        .max_tokens
        .or(to.capabilities.default_max_tokens)
        .unwrap_or(MAX_TOKENS);
    let asked = thinking::ask(request, max_tokens, to);
    let tools = tools(request, to);
    let body = Request {
        model: to.model,
        max_tokens,
        system: messages::system(request, to),
        messages: messages::write(request, to)?,
        tool_choice: choice(request, !tools.is_empty(), to),
        tools,
        stop_sequences: stop(request, to),
        temperature: temperature(request, &asked, to),
        top_p: top_p(request, to),
        top_k: top_k(request, &asked, to),
        output_config: output_config(request, &asked, to),
        thinking: asked.thinking,
        metadata: request.user.as_deref().map(|user_id| Metadata { user_id }),
        stream: request.stream,
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
    for (asked, field) in [
        (says(&sampling.frequency_penalty), Field::FrequencyPenalty),
        (says(&sampling.presence_penalty), Field::PresencePenalty),
        (sampling.seed.is_some(), Field::Seed),
        (
            sampling
                .logit_bias
                .as_deref()
                .is_some_and(|raw| raw.get() != "{}"),
            Field::LogitBias,
        ),
        (request.choices.is_some_and(|n| n != 1), Field::Choices),
        (request.logprobs.is_some(), Field::Logprobs),
        (
            request.logprobs.is_some_and(|it| it.top.is_some()),
            Field::TopLogprobs,
        ),
        (request.metadata.is_some(), Field::Metadata),
    ] {
        if asked {
            to.drop_top(field);
        }
    }
}

fn tools<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for Tool { kind, cache, at } in &request.tools {
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
        if let Some(ToolChoice::Allowed { names, .. }) = &request.tool_choice
            && !names.contains(name)
        {
            continue;
        }
        // Not strict is what goes without saying here.
        let mut strict = strict.filter(|strict| *strict);
        let kept = strict
            .filter(|_| to.capabilities.json_schema)
            .and_then(|_| subset::strict_arguments(parameters.as_deref(), to));
        if strict.is_some() && kept.is_none() {
            to.drop(*at, Field::ToolStrict);
            strict = None;
        }
        tools.push(OutTool {
            name: to.tools.fit(name, TOOL_NAME),
            description: description.as_deref(),
            input_schema: kept.unwrap_or_else(|| subset::of_object(parameters.as_deref())),
            strict,
            cache_control: OutCache::of(cache.as_ref()),
        });
    }
    tools
}

fn choice<'a>(
    request: &'a ChatRequest,
    has_tools: bool,
    to: &mut Encode<'_>,
) -> Option<OutChoice<'a>> {
    if !has_tools {
        let forces = matches!(
            request.tool_choice,
            Some(ToolChoice::Named(_) | ToolChoice::Required)
        );
        if forces {
            to.drop_top(Field::ToolChoice);
        }
        return None;
    }
    let serial = (request.parallel_tool_calls == Some(false)).then_some(true);
    let (r#type, name) = match &request.tool_choice {
        None => {
            serial?;
            ("auto", None)
        }
        Some(
            ToolChoice::Auto
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => ("auto", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(to.tools.fit(name, TOOL_NAME))),
        Some(ToolChoice::None) => ("none", None),
    };
    Some(OutChoice {
        r#type,
        name,
        // `none` has no such field.
        disable_parallel_tool_use: serial.filter(|_| r#type != "none"),
    })
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

/// 0 to 1 here, up to 2 elsewhere; 1 is the default.
fn temperature(request: &ChatRequest, asked: &Asked, to: &mut Encode<'_>) -> Option<Number> {
    let wanted = request.sampling.temperature.as_ref()?;
    let is_default = wanted.as_f64() == Some(1.0);
    if asked.is_manual() || to.capabilities.refuses(Parameter::Temperature) {
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

fn top_p<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<&'a Number> {
    let wanted = request.sampling.top_p.as_ref()?;
    let is_default = wanted.as_f64() == Some(1.0);
    let crowded = to.capabilities.one_sampling_parameter && request.sampling.temperature.is_some();
    if to.capabilities.refuses(Parameter::TopP) || crowded {
        if !is_default {
            to.drop_top(Field::TopP);
        }
        return None;
    }
    Some(wanted)
}

fn top_k<'a>(request: &'a ChatRequest, asked: &Asked, to: &mut Encode<'_>) -> Option<&'a Number> {
    let wanted = request.sampling.top_k.as_ref()?;
    if asked.is_manual() || to.capabilities.refuses(Parameter::TopK) {
        to.drop_top(Field::TopK);
        return None;
    }
    Some(wanted)
}

fn output_config<'a>(
    request: &'a ChatRequest,
    asked: &Asked,
    to: &mut Encode<'_>,
) -> Option<OutputConfig<'a>> {
    let format = match &request.response_format {
        None => None,
        Some(ResponseFormat::JsonObject) => {
            to.drop_top(Field::ResponseFormat);
            None
        }
        Some(ResponseFormat::JsonSchema { .. }) if !to.capabilities.json_schema => {
            to.drop_top(Field::ResponseFormat);
            None
        }
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            let fitted = subset::for_anthropic(schema, to);
            if fitted.as_ref().is_none_or(|it| it.looser) {
                to.drop_top(Field::ResponseFormat);
            }
            fitted.map(|it| OutFormat {
                r#type: "json_schema",
                schema: it.schema,
            })
        }
    };
    let effort = asked.effort;
    (effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format })
}
