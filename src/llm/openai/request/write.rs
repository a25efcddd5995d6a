//! IR → the request for a provider.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::messages;
use crate::capabilities::{MaxTokensField, Parameter};
use crate::codec::{Encode, Encoded, Limits};
use crate::ir::{
    ChatRequest, Effort, Field, Reasoning, ResponseFormat, Tool, ToolChoice, ToolKind,
};
use crate::{ApiError, Dialect, subset};

/// Function names: `[A-Za-z0-9_-]`, at most 64.
pub(super) const TOOL_NAME: Limits = Limits { bytes: 64 };

/// Stop texts that are taken.
const STOPS: usize = 4;
/// Longest `user` that is taken.
const USER: usize = 64;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<messages::Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
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
    logit_bias: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct OutTool<'a> {
    r#type: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutChoice<'a> {
    Word(&'static str),
    Named(NamedChoice<'a>),
    Allowed {
        r#type: &'static str,
        allowed_tools: AllowedTools<'a>,
    },
}

#[derive(Serialize)]
struct NamedChoice<'a> {
    r#type: &'static str,
    function: NamedFunction<'a>,
}

#[derive(Serialize)]
struct NamedFunction<'a> {
    name: Cow<'a, str>,
}

#[derive(Serialize)]
struct AllowedTools<'a> {
    mode: &'static str,
    tools: Vec<NamedChoice<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: OutSchema<'a> },
}

#[derive(Serialize)]
struct OutSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Writes a request.
pub(crate) fn from_ir(request: &ChatRequest, to: &mut Encode<'_>) -> Result<Encoded, ApiError> {
    to.drop_unknown(request, Dialect::OpenAiChat);
    let tools = tools(request, to);
    let has_tools = !tools.is_empty();
    let mut body = Request {
        model: to.model,
        messages: messages::write(request, to)?,
        tool_choice: choice(request, has_tools, to),
        tools,
        parallel_tool_calls: request.parallel_tool_calls.filter(|_| has_tools),
        max_tokens: None,
        max_completion_tokens: None,
        stop: stop(request, to),
        temperature: None,
        top_p: None,
        top_k: None,
        frequency_penalty: None,
        presence_penalty: None,
        seed: None,
        logit_bias: None,
        n: None,
        logprobs: None,
        top_logprobs: None,
        response_format: response_format(request, to),
        reasoning_effort: thinks(request.reasoning.as_ref(), to),
        user: user(request, to),
        metadata: request.metadata.as_deref(),
        stream: request.stream.then_some(true),
        stream_options: request.stream.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    match to.capabilities.max_tokens_field {
        MaxTokensField::MaxCompletionTokens => body.max_completion_tokens = request.max_tokens,
        MaxTokensField::MaxTokens => body.max_tokens = request.max_tokens,
    }
    sampling(&mut body, request, to);
    Ok(Encoded {
        // Our own structs: string keys, no fallible parts.
        body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
    })
}

/// The value, unless the model refuses it.
fn taken<'a, T: ?Sized>(
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

fn sampling<'a>(body: &mut Request<'a>, request: &'a ChatRequest, to: &mut Encode<'_>) {
    let from = &request.sampling;
    // What is refused is left out; 1, the default, is not missed.
    let matters = |number: &&'a Number| number.as_f64() != Some(1.0);
    body.temperature = taken(
        from.temperature
            .as_ref()
            .filter(|it| matters(it) || !to.capabilities.refuses(Parameter::Temperature)),
        Parameter::Temperature,
        Field::Temperature,
        to,
    );
    body.top_p = taken(
        from.top_p
            .as_ref()
            .filter(|it| matters(it) || !to.capabilities.refuses(Parameter::TopP)),
        Parameter::TopP,
        Field::TopP,
        to,
    );
    body.top_k = taken(from.top_k.as_ref(), Parameter::TopK, Field::TopK, to);
    body.frequency_penalty = taken(
        from.frequency_penalty.as_ref(),
        Parameter::FrequencyPenalty,
        Field::FrequencyPenalty,
        to,
    );
    body.presence_penalty = taken(
        from.presence_penalty.as_ref(),
        Parameter::PresencePenalty,
        Field::PresencePenalty,
        to,
    );
    body.seed = taken(from.seed.as_ref(), Parameter::Seed, Field::Seed, to);
    body.logit_bias = taken(
        from.logit_bias.as_deref(),
        Parameter::LogitBias,
        Field::LogitBias,
        to,
    );
    body.n = taken(request.choices.as_ref(), Parameter::N, Field::Choices, to).copied();
    let logprobs = taken(
        request.logprobs.as_ref(),
        Parameter::Logprobs,
        Field::Logprobs,
        to,
    );
    body.logprobs = logprobs.map(|_| true);
    body.top_logprobs = logprobs.and_then(|it| it.top);
}

fn stop<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> &'a [String] {
    if request.stop.is_empty() {
        return &[];
    }
    if to.capabilities.refuses(Parameter::Stop) {
        to.drop_top(Field::Stop);
        return &[];
    }
    if request.stop.len() > STOPS {
        to.drop_top(Field::Stop);
    }
    request.stop.get(..STOPS).unwrap_or(&request.stop)
}

fn user<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<&'a str> {
    let user = request.user.as_deref()?;
    if user.len() > USER {
        to.drop_top(Field::User);
        return None;
    }
    Some(user)
}

fn tools<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for Tool { kind, cache, at } in &request.tools {
        if cache.is_some() {
            to.drop(*at, Field::CacheControl);
        }
        match kind {
            ToolKind::Function {
                name,
                description,
                parameters,
                strict,
            } => {
                let fitted = parameters
                    .as_deref()
                    .map(|schema| subset::arguments_for_openai(schema, *strict, to));
                let (parameters, kept) = fitted.map_or((None, *strict), |(a, b)| (Some(a), b));
                if kept != *strict {
                    to.drop(*at, Field::ToolStrict);
                }
                tools.push(OutTool {
                    r#type: "function",
                    function: OutFunction {
                        name: to.tools.fit(name, TOOL_NAME),
                        description: description.as_deref(),
                        parameters,
                        strict: kept,
                    },
                });
            }
            ToolKind::Other(_) => to.drop(*at, Field::Whole),
        }
    }
    tools
}

fn choice<'a>(
    request: &'a ChatRequest,
    has_tools: bool,
    to: &mut Encode<'_>,
) -> Option<OutChoice<'a>> {
    let wanted = request.tool_choice.as_ref()?;
    if !has_tools {
        if !request.tools.is_empty() {
            to.drop_top(Field::ToolChoice);
        }
        return None;
    }
    let mut named = |name: &'a str| NamedChoice {
        r#type: "function",
        function: NamedFunction {
            name: to.tools.fit(name, TOOL_NAME),
        },
    };
    Some(match wanted {
        ToolChoice::Auto => OutChoice::Word("auto"),
        ToolChoice::None => OutChoice::Word("none"),
        ToolChoice::Required => OutChoice::Word("required"),
        ToolChoice::Named(name) => OutChoice::Named(named(name)),
        ToolChoice::Allowed { names, required } => OutChoice::Allowed {
            r#type: "allowed_tools",
            allowed_tools: AllowedTools {
                mode: if *required { "required" } else { "auto" },
                tools: names.iter().map(|name| named(name)).collect(),
            },
        },
    })
}

fn response_format<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<OutFormat<'a>> {
    let ResponseFormat::JsonSchema {
        name,
        description,
        schema,
        strict,
    } = request.response_format.as_ref()?
    else {
        return Some(OutFormat::JsonObject);
    };
    let (schema, kept) = subset::for_openai(schema, *strict, to);
    if kept != *strict {
        to.drop_top(Field::SchemaStrict);
    }
    Some(OutFormat::JsonSchema {
        json_schema: OutSchema {
            // Required here; other dialects have none.
            name: name.as_deref().unwrap_or("answer"),
            description: description.as_deref(),
            schema,
            strict: kept,
        },
    })
}

/// How hard to think. OpenAI's models show none of it here; other servers show all.
fn thinks(reasoning: Option<&Reasoning>, to: &mut Encode<'_>) -> Option<&'static str> {
    let hides = to.capabilities.max_tokens_field == MaxTokensField::MaxCompletionTokens;
    // Ollama's clients ask for thoughts, and get them where there are some.
    let asks =
        reasoning.is_some_and(|it| it.show == Some(true)) && !to.is_from(Dialect::OllamaChat);
    if hides && asks {
        to.drop_top(Field::ReasoningDisplay);
    }
    effort(reasoning, to).or_else(|| some_effort(reasoning, to).filter(|_| hides))
}

/// The effort where thinking is wanted and nothing is said of how much: some of
/// OpenAI's models do not think unless they are told.
pub(crate) fn some_effort(reasoning: Option<&Reasoning>, to: &Encode<'_>) -> Option<&'static str> {
    let refuses = to.capabilities.refuses(Parameter::ReasoningEffort);
    let wants = reasoning.is_some_and(|it| it.enabled == Some(true));
    (wants && !refuses).then(|| to.capabilities.nearest(Effort::Medium).as_str())
}

/// The effort nearest to what was asked for, by whichever word.
pub(crate) fn effort(reasoning: Option<&Reasoning>, to: &mut Encode<'_>) -> Option<&'static str> {
    let reasoning = reasoning?;
    if to.capabilities.refuses(Parameter::ReasoningEffort) {
        // Not to think is what such a model does anyway.
        if reasoning.enabled != Some(false) {
            to.drop_top(Field::Reasoning);
        }
        return None;
    }
    if reasoning.budget.is_some() {
        to.drop_top(Field::ReasoningBudget);
    }
    let wanted = wanted(reasoning)?;
    let knows = |effort| {
        let efforts = &to.capabilities.efforts;
        efforts.is_empty() || efforts.contains(&effort)
    };
    // To a model that may not think at all, the least effort would say: think.
    let is_compatible = to.capabilities.max_tokens_field == MaxTokensField::MaxTokens;
    if wanted == Effort::None && !knows(Effort::None) && is_compatible {
        to.drop_top(Field::Reasoning);
        return None;
    }
    let nearest = to.capabilities.nearest(wanted);
    if nearest != wanted {
        to.drop_top(Field::ReasoningEffort);
    }
    Some(nearest.as_str())
}

fn wanted(reasoning: &Reasoning) -> Option<Effort> {
    if reasoning.enabled == Some(false) {
        return Some(Effort::None);
    }
    if let Some(effort) = reasoning.effort {
        return Some(effort);
    }
    match reasoning.budget {
        Some(..2048) => Some(Effort::Low),
        Some(2048..16384) => Some(Effort::Medium),
        Some(16384..) => Some(Effort::High),
        // The effort that goes without saying where thinking is adaptive.
        None if reasoning.adaptive => Some(Effort::High),
        None => None,
    }
}
