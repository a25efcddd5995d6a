//! IR → the request for a provider.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::messages;
use crate::capabilities::{MaxTokensField, Parameter};
use crate::codec::{Encode, Encoded, Limits};
use crate::ir::{ChatRequest, Extra, Field, ResponseFormat, Tool, ToolChoice, ToolKind};
use crate::{ApiError, Dialect, subset};

/// Function names: `[A-Za-z0-9_-]`, at most 64.
pub(super) const TOOL_NAME: Limits = Limits { bytes: 64 };
/// The least output that OpenAI lets itself be asked for.
const LEAST_OUTPUT: u64 = 16;
/// Longest `user` that is taken.
const USER: usize = 64;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: Vec<messages::Out<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<OutText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<OutReasoning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a RawValue>,
    /// The conversation is the client's: nothing is to be kept.
    store: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct OutTool<'a> {
    r#type: &'static str,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Option<Cow<'a, RawValue>>,
    /// Said always: here it is on by itself.
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutChoice<'a> {
    Word(&'static str),
    Named(NamedChoice<'a>),
    Allowed {
        r#type: &'static str,
        mode: &'static str,
        tools: Vec<NamedChoice<'a>>,
    },
}

#[derive(Serialize)]
struct NamedChoice<'a> {
    r#type: &'static str,
    name: Cow<'a, str>,
}

#[derive(Serialize)]
struct OutText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutFormat<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: Cow<'a, RawValue>,
        strict: bool,
    },
}

#[derive(Serialize)]
struct OutReasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

/// Writes a request.
pub(crate) fn from_ir(request: &ChatRequest, to: &mut Encode<'_>) -> Result<Encoded, ApiError> {
    let shared = Shared::with(request, to);
    to.drop_unknown_but(request, Dialect::OpenAiResponses, shared.names());
    let tools = tools(request, to);
    let has_tools = !tools.is_empty();
    let logprobs = taken(
        request.logprobs.as_ref(),
        Parameter::Logprobs,
        Field::Logprobs,
        to,
    );
    let mut include = Vec::new();
    if logprobs.is_some() {
        include.push("message.output_text.logprobs");
    }
    // Others than OpenAI's own reasoning models refuse it.
    if is_openais(to) && !to.capabilities.refuses(Parameter::ReasoningEffort) {
        include.push("reasoning.encrypted_content");
    }
    not_here(request, to);
    let body = Request {
        model: to.model,
        input: messages::write(request, to)?,
        tool_choice: choice(request, has_tools, to),
        tools,
        parallel_tool_calls: request.parallel_tool_calls.filter(|_| has_tools),
        max_output_tokens: max_tokens(request, to),
        temperature: drawn(
            request.sampling.temperature.as_ref(),
            Parameter::Temperature,
            Field::Temperature,
            to,
        ),
        top_p: drawn(
            request.sampling.top_p.as_ref(),
            Parameter::TopP,
            Field::TopP,
            to,
        ),
        top_logprobs: logprobs.and_then(|it| it.top),
        text: text(request, &shared, to),
        reasoning: reasoning(request, to),
        include,
        user: user(request, to),
        metadata: request.metadata.as_deref(),
        prompt_cache_key: shared.field("prompt_cache_key"),
        prompt_cache_retention: shared.field("prompt_cache_retention"),
        service_tier: shared.field("service_tier"),
        store: false,
        stream: request.stream,
    };
    Ok(Encoded {
        // Our own structs: string keys, no fallible parts.
        body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
    })
}

/// What OpenAI's own chat clients ask for, and its Responses know as well. Servers that
/// are compatible need not.
struct Shared<'a>(&'a [Extra]);

impl<'a> Shared<'a> {
    const NAMES: [&'static str; 4] = [
        "prompt_cache_key",
        "prompt_cache_retention",
        "service_tier",
        "verbosity",
    ];

    fn with(request: &'a ChatRequest, to: &Encode<'_>) -> Self {
        let is_shared = to.is_from(Dialect::OpenAiChat) && is_openais(to);
        Self(if is_shared { &request.extra } else { &[] })
    }

    fn names(&self) -> &'static [&'static str] {
        if self.0.is_empty() { &[] } else { &Self::NAMES }
    }

    fn field(&self, name: &str) -> Option<&'a RawValue> {
        let extra = self.0.iter().find(|it| it.name == name)?;
        Some(&extra.value)
    }
}

fn text<'a>(
    request: &'a ChatRequest,
    shared: &Shared<'a>,
    to: &mut Encode<'_>,
) -> Option<OutText<'a>> {
    let text = OutText {
        format: format(request, to),
        verbosity: shared.field("verbosity"),
    };
    let says = text.format.is_some() || text.verbosity.is_some();
    says.then_some(text)
}

/// True for models of OpenAI itself, not of a server that is compatible.
fn is_openais(to: &Encode<'_>) -> bool {
    to.capabilities.max_tokens_field == MaxTokensField::MaxCompletionTokens
}

/// What other dialects have and this one has not.
fn not_here(request: &ChatRequest, to: &mut Encode<'_>) {
    let sampling = &request.sampling;
    for (is_there, field) in [
        (!request.stop.is_empty(), Field::Stop),
        (sampling.top_k.is_some(), Field::TopK),
        (
            sampling.frequency_penalty.is_some(),
            Field::FrequencyPenalty,
        ),
        (sampling.presence_penalty.is_some(), Field::PresencePenalty),
        (sampling.seed.is_some(), Field::Seed),
        (sampling.logit_bias.is_some(), Field::LogitBias),
        (request.choices.is_some_and(|n| n > 1), Field::Choices),
    ] {
        if is_there {
            to.drop_top(field);
        }
    }
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

/// The same; 1, the default, is not missed.
fn drawn<'a>(
    value: Option<&'a Number>,
    parameter: Parameter,
    field: Field,
    to: &mut Encode<'_>,
) -> Option<&'a Number> {
    let refused = to.capabilities.refuses(parameter);
    let matters = value.filter(|it| it.as_f64() != Some(1.0) || !refused);
    taken(matters, parameter, field, to)
}

fn max_tokens(request: &ChatRequest, to: &mut Encode<'_>) -> Option<u64> {
    let max = request.max_tokens?;
    if max < LEAST_OUTPUT && is_openais(to) {
        to.drop_top(Field::MaxTokens);
        return Some(LEAST_OUTPUT);
    }
    Some(max)
}

fn user<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<&'a str> {
    let user = request.user.as_deref()?;
    if user.len() > USER {
        to.drop_top(Field::User);
        return None;
    }
    Some(user)
}

fn reasoning(request: &ChatRequest, to: &mut Encode<'_>) -> Option<OutReasoning> {
    let asked = request.reasoning.as_ref();
    let effort = crate::openai::effort(asked, to);
    let some = || crate::openai::some_effort(asked, to).filter(|_| is_openais(to));
    let effort = effort.or_else(some);
    let thinks = !to.capabilities.refuses(Parameter::ReasoningEffort);
    let shown = request.reasoning.as_ref().and_then(|it| it.show);
    let summary = (thinks && shown == Some(true)).then_some("auto");
    (effort.is_some() || summary.is_some()).then_some(OutReasoning { effort, summary })
}

fn tools<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
    let own = to.is_from(Dialect::OpenAiResponses);
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
                    name: to.tools.fit(name, TOOL_NAME),
                    description: description.as_deref(),
                    parameters,
                    strict: if own {
                        kept
                    } else {
                        Some(kept.unwrap_or(false))
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
        name: to.tools.fit(name, TOOL_NAME),
    };
    Some(match wanted {
        ToolChoice::Auto => OutChoice::Word("auto"),
        ToolChoice::None => OutChoice::Word("none"),
        ToolChoice::Required => OutChoice::Word("required"),
        ToolChoice::Named(name) => OutChoice::Named(named(name)),
        ToolChoice::Allowed { names, required } => OutChoice::Allowed {
            r#type: "allowed_tools",
            mode: if *required { "required" } else { "auto" },
            tools: names.iter().map(|name| named(name)).collect(),
        },
    })
}

fn format<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<OutFormat<'a>> {
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
        // Required here; other dialects have none.
        name: name.as_deref().unwrap_or("answer"),
        description: description.as_deref(),
        schema,
        strict: kept.unwrap_or(false),
    })
}
