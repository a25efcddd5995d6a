//! `toolConfig` of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::messages::OutCache;
use crate::capabilities::{CachePoints, Parameter};
use crate::codec::{Encode, Limits};
use crate::ir::{ChatRequest, Content, Field, Tool, ToolChoice, ToolKind};
use crate::subset;

/// Names of tools: `[a-zA-Z0-9_-]`, at most 64.
pub(super) const TOOL_NAME: Limits = Limits { bytes: 64 };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutTools<'a> {
    tools: Vec<OutTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<OutChoice<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutTool<'a> {
    CachePoint(OutCache<'a>),
    ToolSpec(OutSpec<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutSpec<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: OutSchema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct OutSchema<'a> {
    json: Cow<'a, RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutChoice<'a> {
    Any {},
    Tool { name: Cow<'a, str> },
}

/// Writes the tools. They are required as soon as a conversation has calls in it.
pub(super) fn write<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<OutTools<'a>> {
    let called = called(request);
    let forbidden = request.tool_choice == Some(ToolChoice::None);
    if forbidden && called.is_empty() {
        return None;
    }
    let mut tools = specs(request, to);
    if tools.is_empty() {
        // Those that were called before: Bedrock refuses the conversation without.
        tools = called.into_iter().map(|name| known(name, to)).collect();
    }
    let tool_choice = choice(request, &tools, to);
    (!tools.is_empty()).then_some(OutTools { tools, tool_choice })
}

/// The names of the tools that the conversation has calls of, each once.
fn called(request: &ChatRequest) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for block in request.messages.iter().flat_map(|it| &it.blocks) {
        if let Content::ToolCall { name, .. } = &block.content
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names
}

fn known<'a>(name: &'a str, to: &mut Encode<'_>) -> OutTool<'a> {
    OutTool::ToolSpec(OutSpec {
        name: to.tools.fit(name, TOOL_NAME),
        description: None,
        input_schema: OutSchema {
            json: subset::of_object(None),
        },
        strict: None,
    })
}

fn specs<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
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
        let json = kept.unwrap_or_else(|| subset::of_object(parameters.as_deref()));
        tools.push(OutTool::ToolSpec(OutSpec {
            name: to.tools.fit(name, TOOL_NAME),
            description: description.as_deref().filter(|text| !text.is_empty()),
            input_schema: OutSchema { json },
            strict,
        }));
        if let Some(cache) = cache {
            if to.capabilities.cache_points == CachePoints::Everywhere {
                tools.push(OutTool::CachePoint(OutCache::of(cache, *at, to)));
            } else {
                to.drop(*at, Field::CacheControl);
            }
        }
    }
    tools
}

/// True when one call at a time is asked for, in the model's own words: the wire has none
/// for it. They hold a choice among tools as well, and so there must be no other one.
pub(super) fn are_serial(request: &ChatRequest, to: &mut Encode<'_>) -> bool {
    if request.parallel_tool_calls != Some(false) || request.tools.is_empty() {
        return false;
    }
    let is_free = match &request.tool_choice {
        None
        | Some(
            ToolChoice::Auto
            | ToolChoice::Allowed {
                required: false, ..
            },
        ) => true,
        Some(
            ToolChoice::Allowed { required: true, .. }
            | ToolChoice::Named(_)
            | ToolChoice::None
            | ToolChoice::Required,
        ) => false,
    };
    if !is_free || !to.capabilities.serial_calls {
        to.drop_top(Field::ParallelToolCalls);
        return false;
    }
    true
}

fn choice<'a>(
    request: &'a ChatRequest,
    tools: &[OutTool<'_>],
    to: &mut Encode<'_>,
) -> Option<OutChoice<'a>> {
    let wanted = request.tool_choice.as_ref()?;
    let choice = match wanted {
        // What goes without saying.
        ToolChoice::Auto
        | ToolChoice::Allowed {
            required: false, ..
        } => return None,
        ToolChoice::None => None,
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => {
            Some(OutChoice::Any {})
        }
        ToolChoice::Named(name) => Some(OutChoice::Tool {
            name: to.tools.fit(name, TOOL_NAME),
        }),
    };
    // Nothing forbids a call of what is there, and not every model can be forced.
    let refuses = tools.is_empty() || to.capabilities.refuses(Parameter::ToolChoice);
    if choice.is_none() || refuses {
        to.drop_top(Field::ToolChoice);
        return None;
    }
    choice
}
