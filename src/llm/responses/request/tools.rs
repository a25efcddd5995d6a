//! Tools, and the choice among them → IR.

use serde_json::value::RawValue;

use super::wire::{Choice, WireTool};
use crate::ApiError;
use crate::ir::{At, ChatRequest, Extra, List, Namespaces, Tool, ToolChoice, ToolKind, Unknown};
use crate::object::{self, Text, invalid, missing};
use crate::responses::namespaces::Flattener;

/// The tools that were offered, by name.
#[derive(Debug, Default)]
pub(super) struct Offered(Flattener);

impl Offered {
    /// Reads the tools into the request.
    pub(super) fn read(tools: Vec<&RawValue>, request: &mut ChatRequest) -> Result<Self, ApiError> {
        let mut offered = Self::default();
        let mut read = Vec::with_capacity(tools.len());
        for (index, raw) in tools.into_iter().enumerate() {
            let tool: WireTool<'_> = object::read_at(raw, &format!("tools[{index}]"))?;
            if let Some(name) = &tool.name
                && !is_namespace(&tool)
            {
                offered.0.take(name.as_str());
            }
            read.push((raw, tool));
        }
        for (index, (raw, tool)) in read.into_iter().enumerate() {
            let at = At::item(List::Tools, index);
            if is_namespace(&tool) {
                offered.namespace(tool, at, request)?;
            } else {
                let is_custom = is_custom(&tool);
                let tool = one(raw, tool, at, &format!("tools[{index}]"), request)?;
                if let ToolKind::Function { name, .. } = &tool.kind
                    && is_custom
                {
                    offered.0.custom(name);
                }
                request.tools.push(tool);
            }
        }
        Ok(offered)
    }

    /// The flat name of a tool.
    pub(super) fn flat(&mut self, namespace: &str, name: &str) -> String {
        self.0.flat(namespace, name)
    }

    pub(super) fn into_namespaces(self) -> Namespaces {
        self.0.into_namespaces()
    }

    /// The functions of a namespace. What is said of all of them the first one says.
    fn namespace(
        &mut self,
        wire: WireTool<'_>,
        at: At,
        request: &mut ChatRequest,
    ) -> Result<(), ApiError> {
        let path = format!("tools[{}]", at.item);
        let namespace = wire.name.ok_or_else(|| missing(&format!("{path}.name")))?;
        let namespace = namespace.as_str();
        let mut about = wire.description.map(Text::into_string);
        note(
            &mut request.unknown,
            at,
            wire.rest.iter().map(|it| it.0.as_ref()),
        );
        for (index, raw) in wire.tools.unwrap_or_default().into_iter().enumerate() {
            let path = format!("{path}.tools[{index}]");
            let member: WireTool<'_> = object::read_at(raw, &path)?;
            let is_custom = is_custom(&member);
            let mut tool = one(raw, member, at.part(index), &path, request)?;
            if let ToolKind::Function {
                name, description, ..
            } = &mut tool.kind
            {
                *name = self.0.flat(namespace, name);
                if is_custom {
                    self.0.custom(name);
                }
                if let Some(about) = about.take().filter(|about| !about.is_empty()) {
                    let own = description.take().unwrap_or_default();
                    *description = Some(format!("{namespace}: {about}\n\n{own}"));
                }
            }
            request.tools.push(tool);
        }
        Ok(())
    }
}

fn is_namespace(tool: &WireTool<'_>) -> bool {
    tool.kind.as_ref().map(Text::as_str) == Some("namespace")
}

/// One that takes plain text (Codex: `apply_patch`).
fn is_custom(tool: &WireTool<'_>) -> bool {
    tool.kind.as_ref().map(Text::as_str) == Some("custom")
}

/// What a custom tool is to others: a function of one text.
fn custom(
    wire: WireTool<'_>,
    at: At,
    path: &str,
    request: &mut ChatRequest,
) -> Result<ToolKind, ApiError> {
    const PARAMETERS: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}"#;
    let name = wire.name.ok_or_else(|| missing(&format!("{path}.name")))?;
    note(
        &mut request.unknown,
        at,
        wire.rest.iter().map(|it| it.0.as_ref()),
    );
    let mut description = wire.description.map(Text::into_string).unwrap_or_default();
    if let Some(grammar) = wire.format.and_then(|it| it.definition) {
        // The model is told what nobody holds it to.
        note(&mut request.unknown, at, ["format"].into_iter());
        description.push_str("\n\nThe input must be of this grammar:\n");
        description.push_str(grammar.as_str());
    }
    Ok(ToolKind::Function {
        name: name.into_string(),
        description: Some(description).filter(|text| !text.is_empty()),
        parameters: RawValue::from_string(PARAMETERS.to_owned()).ok(),
        strict: None,
    })
}

fn note<'a>(unknown: &mut Vec<Unknown>, at: At, names: impl Iterator<Item = &'a str>) {
    unknown.extend(names.map(|name| Unknown {
        at,
        name: name.to_owned(),
    }));
}

/// A function; what another tool is only the client's dialect knows.
fn one(
    raw: &RawValue,
    wire: WireTool<'_>,
    at: At,
    path: &str,
    request: &mut ChatRequest,
) -> Result<Tool, ApiError> {
    let kind = match wire.kind.as_ref().map(Text::as_str) {
        Some("function") => {
            // Those that only say what is so anyway say nothing.
            let says = wire.rest.iter().filter(|(name, value)| {
                !matches!(
                    (name.as_ref(), value.get()),
                    ("defer_loading" | "async", "false")
                )
            });
            note(&mut request.unknown, at, says.map(|it| it.0.as_ref()));
            ToolKind::Function {
                name: wire
                    .name
                    .ok_or_else(|| missing(&format!("{path}.name")))?
                    .into_string(),
                description: wire.description.map(Text::into_string),
                parameters: wire.parameters.map(ToOwned::to_owned),
                strict: wire.strict,
            }
        }
        Some("custom") => custom(wire, at, path, request)?,
        Some(_) => ToolKind::Other(raw.to_owned()),
        None => return Err(missing(&format!("{path}.type"))),
    };
    Ok(Tool {
        kind,
        cache: None,
        at,
    })
}

/// Reads `tool_choice`. One of a tool that the provider runs stays raw.
pub(super) fn choice(
    raw: &RawValue,
    offered: &mut Offered,
    request: &mut ChatRequest,
) -> Result<Option<ToolChoice>, ApiError> {
    let wrong = || {
        invalid(
            "tool_choice",
            "must be none, auto, required, a tool or allowed_tools",
        )
    };
    match raw.get() {
        "\"auto\"" => return Ok(Some(ToolChoice::Auto)),
        "\"none\"" => return Ok(Some(ToolChoice::None)),
        "\"required\"" => return Ok(Some(ToolChoice::Required)),
        text if text.starts_with('"') => return Err(wrong()),
        _ => {}
    }
    let choice: Choice<'_> = object::read_at(raw, "tool_choice")?;
    match choice.kind.as_ref().map(Text::as_str) {
        Some("function" | "custom") => {
            let name = named(&choice, offered).ok_or_else(|| missing("tool_choice.name"))?;
            Ok(Some(ToolChoice::Named(name)))
        }
        Some("allowed_tools") => {
            let required = choice.mode.is_some_and(|mode| mode.as_str() == "required");
            let mut names = Vec::new();
            for (index, tool) in choice.tools.unwrap_or_default().iter().enumerate() {
                let is_function = tool
                    .kind
                    .as_ref()
                    .is_some_and(|it| matches!(it.as_str(), "function" | "custom"));
                match named(tool, offered).filter(|_| is_function) {
                    Some(name) => names.push(name),
                    None => request.unknown.push(Unknown {
                        at: At::default(),
                        name: format!("tool_choice.tools[{index}]"),
                    }),
                }
            }
            Ok(Some(ToolChoice::Allowed { names, required }))
        }
        Some(_) => {
            request.extra.push(Extra {
                name: String::from("tool_choice"),
                value: raw.to_owned(),
            });
            Ok(None)
        }
        None => Err(wrong()),
    }
}

fn named(choice: &Choice<'_>, offered: &mut Offered) -> Option<String> {
    let namespace = choice.namespace.as_ref().map_or("", Text::as_str);
    let name = choice.name.as_ref()?;
    Some(offered.flat(namespace, name.as_str()))
}
