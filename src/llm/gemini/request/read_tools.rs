//! A client's tools, and the choice among them → IR.

use super::super::schema::to_json_schema;
use super::read::note;
use super::wire::{Calling, Declaration, ToolConfig, WireTool};
use crate::ApiError;
use crate::ir::{At, ChatRequest, List, Tool, ToolChoice, ToolKind};
use crate::object::{Text, invalid, missing};

/// Reads the tools. Those that Google runs itself nobody else has: they are noted.
pub(super) fn tools(tools: Vec<WireTool<'_>>, request: &mut ChatRequest) -> Result<(), ApiError> {
    for (index, wire) in tools.into_iter().enumerate() {
        let at = At::item(List::Tools, index);
        note(&mut request.unknown, at, "", &wire.rest);
        let declarations = wire.declarations.map(|it| it.0).unwrap_or_default();
        for (place, declaration) in declarations.into_iter().enumerate() {
            let at = at.part(place);
            note(&mut request.unknown, at, "", &declaration.rest);
            let kind = function(declaration, &super::super::names::place(at))?;
            request.tools.push(Tool {
                kind,
                cache: None,
                at,
            });
        }
    }
    Ok(())
}

fn function(declaration: Declaration<'_>, path: &str) -> Result<ToolKind, ApiError> {
    let name = declaration
        .name
        .ok_or_else(|| missing(&format!("{path}.name")))?;
    let parameters = declaration.schema.map(ToOwned::to_owned);
    Ok(ToolKind::Function {
        name: name.into_string(),
        description: declaration.description.map(Text::into_string),
        parameters: parameters.or_else(|| declaration.parameters.map(to_json_schema)),
        strict: None,
    })
}

/// Reads `toolConfig`.
pub(super) fn choice(config: ToolConfig<'_>, request: &mut ChatRequest) -> Result<(), ApiError> {
    const PATH: &str = "toolConfig.functionCallingConfig.";
    let top = At::default();
    note(&mut request.unknown, top, "toolConfig.", &config.rest);
    let Some(calling) = config.calling else {
        return Ok(());
    };
    note(&mut request.unknown, top, PATH, &calling.rest);
    request.tool_choice = chosen(calling)?;
    Ok(())
}

fn chosen(calling: Calling<'_>) -> Result<Option<ToolChoice>, ApiError> {
    let allowed = calling.allowed.unwrap_or_default().into_iter();
    let mut names: Vec<String> = allowed.map(Text::into_string).collect();
    let mode = calling.mode.map(|mode| mode.as_str().to_ascii_uppercase());
    let mode = mode.as_deref().unwrap_or("AUTO");
    Ok(match (mode, names.len()) {
        ("MODE_UNSPECIFIED", _) => None,
        ("AUTO", _) | ("VALIDATED", 0) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Named),
        ("ANY" | "VALIDATED", _) => Some(ToolChoice::Allowed {
            names,
            required: mode == "ANY",
        }),
        _ => {
            return Err(invalid(
                "toolConfig.functionCallingConfig.mode",
                "must be one of AUTO, ANY, NONE, VALIDATED",
            ));
        }
    })
}
