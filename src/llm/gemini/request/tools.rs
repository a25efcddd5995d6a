//! Tools, and the choice among them, of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::codec::{Encode, Limits};
use crate::ir::{ChatRequest, Field, Tool, ToolChoice, ToolKind};

/// Names of functions: letters, digits, `_`, `.`, `:`, `-`, at most 64.
pub(super) const TOOL_NAME: Limits = Limits { bytes: 64 };

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutTool<'a> {
    function_declarations: Vec<OutDeclaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutDeclaration<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutToolConfig<'a> {
    function_calling_config: OutCalling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutCalling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<Cow<'a, str>>,
}

/// Writes the tools: all functions in one.
pub(super) fn write<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutTool<'a>> {
    let mut declarations = Vec::with_capacity(request.tools.len());
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
        // Names can only be allowed where a call is demanded.
        if let Some(ToolChoice::Allowed {
            names,
            required: false,
        }) = &request.tool_choice
            && !names.contains(name)
        {
            continue;
        }
        // Not strict is what goes without saying here.
        if *strict == Some(true) {
            to.drop(*at, Field::ToolStrict);
        }
        declarations.push(OutDeclaration {
            name: to.tools.fit(name, TOOL_NAME),
            description: description.as_deref().filter(|text| !text.is_empty()),
            parameters_json_schema: parameters.as_deref().filter(|it| has_members(it)),
        });
    }
    if declarations.is_empty() {
        return Vec::new();
    }
    vec![OutTool {
        function_declarations: declarations,
    }]
}

fn has_members(schema: &RawValue) -> bool {
    !schema.get().split_whitespace().eq(["{}"])
}

/// Writes the choice.
pub(super) fn choice<'a>(
    request: &'a ChatRequest,
    has_tools: bool,
    to: &mut Encode<'_>,
) -> Option<OutToolConfig<'a>> {
    if has_tools && request.parallel_tool_calls == Some(false) {
        to.drop_top(Field::ParallelToolCalls);
    }
    let wanted = request.tool_choice.as_ref()?;
    if !has_tools {
        let forces = !matches!(wanted, ToolChoice::Auto | ToolChoice::None);
        if forces {
            to.drop_top(Field::ToolChoice);
        }
        return None;
    }
    let (mode, names) = match wanted {
        ToolChoice::Auto
        | ToolChoice::Allowed {
            required: false, ..
        } => ("AUTO", &[][..]),
        ToolChoice::None => ("NONE", &[][..]),
        ToolChoice::Required => ("ANY", &[][..]),
        ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
        ToolChoice::Allowed {
            names,
            required: true,
        } => ("ANY", names.as_slice()),
    };
    let names = names.iter().map(|name| to.tools.fit(name, TOOL_NAME));
    Some(OutToolConfig {
        function_calling_config: OutCalling {
            mode,
            allowed_function_names: names.collect(),
        },
    })
}
