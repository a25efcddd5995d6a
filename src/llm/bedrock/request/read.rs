//! A client's request → IR.

use serde_json::value::RawValue;

use super::read_blocks::{self, note};
use super::wire::{
    Additional, Choice, Inference, OutputConfig, Request, TextFormat, ToolConfig, ToolSpec,
    WireMessage,
};
use crate::codec::Inbound;
use crate::ir::{
    At, ChatRequest, Effort, Extra, List, Message, Reasoning, ResponseFormat, Role, Tool,
    ToolChoice, ToolKind, Unknown,
};
use crate::object::{self, Rest, Text, invalid, missing};
use crate::{ApiError, Dialect};

/// Reads a request.
pub(in crate::bedrock) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let mut wire: Request<'_> = object::read(inbound.body)?;
    let mut request = ChatRequest::new(Dialect::BedrockConverse);
    request.include_usage = true;
    request.stream = inbound.stream.unwrap_or_default();
    let top = At::default();
    if let Some(system) = wire.system.take() {
        let at = At {
            list: List::System,
            ..top
        };
        let unknown = &mut request.unknown;
        request.system = read_blocks::all(system, |part| at.part(part), unknown)?;
    }
    let messages = wire.messages.take().ok_or_else(|| missing("messages"))?;
    for (index, message) in messages.into_iter().enumerate() {
        let message = self::message(message, index, &mut request.unknown)?;
        request.messages.push(message);
    }
    if let Some(inference) = wire.inference.take() {
        self::inference(inference, &mut request);
    }
    if let Some(tools) = wire.tools.take() {
        self::tools(tools, &mut request)?;
    }
    if let Some(output) = wire.output.take() {
        self::output(output, &mut request)?;
    }
    if let Some(additional) = wire.additional.take() {
        self::additional(additional, &mut request)?;
    }
    request.metadata = wire.metadata.map(ToOwned::to_owned);
    request.extra = extra(wire.rest);
    Ok(request)
}

fn extra(rest: Rest<'_>) -> Vec<Extra> {
    let says_nothing = |name: &str, value: &str| {
        let value: String = value.split_whitespace().collect();
        matches!(
            (name, value.as_str()),
            ("serviceTier", r#"{"type":"default"}"#)
                | ("performanceConfig", r#"{"latency":"standard"}"#)
                | ("additionalModelResponseFieldPaths", "[]")
        )
    };
    rest.into_iter()
        .filter(|(name, value)| !says_nothing(name, value.get()))
        .map(|(name, value)| Extra {
            name: name.into_owned(),
            value: value.to_owned(),
        })
        .collect()
}

fn message(
    message: WireMessage<'_>,
    index: usize,
    unknown: &mut Vec<Unknown>,
) -> Result<Message, ApiError> {
    let at = At::item(List::Messages, index);
    note(unknown, at, "", &message.rest);
    let role = match message.role.as_ref().map(Text::as_str) {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some(_) => {
            let path = format!("messages[{index}].role");
            return Err(invalid(&path, "must be one of user, assistant"));
        }
        None => return Err(missing(&format!("messages[{index}].role"))),
    };
    let content = message
        .content
        .ok_or_else(|| missing(&format!("messages[{index}].content")))?;
    Ok(Message {
        role,
        blocks: read_blocks::all(content, |part| at.part(part), unknown)?,
        name: None,
        at,
    })
}

fn inference(inference: Inference<'_>, request: &mut ChatRequest) {
    let unknown = &mut request.unknown;
    note(unknown, At::default(), "inferenceConfig.", &inference.rest);
    request.max_tokens = inference.max_tokens;
    request.sampling.temperature = inference.temperature;
    request.sampling.top_p = inference.top_p;
    let stop = inference.stop.unwrap_or_default();
    request.stop = stop.into_iter().map(Text::into_string).collect();
}

fn tools(config: ToolConfig<'_>, request: &mut ChatRequest) -> Result<(), ApiError> {
    let unknown = &mut request.unknown;
    note(unknown, At::default(), "toolConfig.", &config.rest);
    let tools = config.tools.ok_or_else(|| missing("toolConfig.tools"))?;
    for (index, wire) in tools.into_iter().enumerate() {
        let at = At::item(List::Tools, index);
        note(unknown, at, "", &wire.rest);
        let kind = match (wire.spec, wire.system, wire.cache) {
            (Some(spec), _, _) => spec_of(spec, at, index, unknown)?,
            (None, Some(raw), _) => ToolKind::Other(raw.to_owned()),
            (None, None, Some(cache)) => {
                match request.tools.last_mut() {
                    Some(last) => last.cache = Some(read_blocks::cache(cache)),
                    None => read_blocks::note_name(unknown, at, "cachePoint"),
                }
                continue;
            }
            (None, None, None) => {
                let path = format!("toolConfig.tools[{index}]");
                return Err(invalid(
                    &path,
                    "must have toolSpec, systemTool or cachePoint",
                ));
            }
        };
        request.tools.push(Tool {
            kind,
            cache: None,
            at,
        });
    }
    request.tool_choice = config.choice.map(choice).transpose()?;
    Ok(())
}

fn spec_of(
    spec: ToolSpec<'_>,
    at: At,
    index: usize,
    unknown: &mut Vec<Unknown>,
) -> Result<ToolKind, ApiError> {
    note(unknown, at, "toolSpec.", &spec.rest);
    let lacks = |name: &str| missing(&format!("toolConfig.tools[{index}].toolSpec.{name}"));
    let schema = spec.schema.ok_or_else(|| lacks("inputSchema"))?;
    Ok(ToolKind::Function {
        name: spec.name.ok_or_else(|| lacks("name"))?.into_string(),
        description: spec.description.map(Text::into_string),
        parameters: schema.json.map(ToOwned::to_owned),
        strict: spec.strict,
    })
}

fn choice(choice: Choice<'_>) -> Result<ToolChoice, ApiError> {
    if let Some(tool) = choice.tool {
        let name = tool.name.map(Text::into_string);
        let name = name.ok_or_else(|| missing("toolConfig.toolChoice.tool.name"))?;
        return Ok(ToolChoice::Named(name));
    }
    match (choice.auto, choice.any) {
        (Some(_), _) => Ok(ToolChoice::Auto),
        (None, Some(_)) => Ok(ToolChoice::Required),
        (None, None) => Err(invalid(
            "toolConfig.toolChoice",
            "must have one of auto, any, tool",
        )),
    }
}

fn output(config: OutputConfig<'_>, request: &mut ChatRequest) -> Result<(), ApiError> {
    let unknown = &mut request.unknown;
    note(unknown, At::default(), "outputConfig.", &config.rest);
    request.response_format = config.format.map(format).transpose()?;
    Ok(())
}

fn format(format: TextFormat<'_>) -> Result<ResponseFormat, ApiError> {
    const SCHEMA: &str = "outputConfig.textFormat.structure.jsonSchema.schema";
    if format.kind.as_ref().map(Text::as_str) != Some("json_schema") {
        return Err(invalid(
            "outputConfig.textFormat.type",
            "must be json_schema",
        ));
    }
    let schema = format.structure.and_then(|it| it.schema);
    let schema = schema.ok_or_else(|| missing(SCHEMA))?;
    let text = schema.schema.ok_or_else(|| missing(SCHEMA))?.into_string();
    Ok(ResponseFormat::JsonSchema {
        name: schema.name.map(Text::into_string),
        description: schema.description.map(Text::into_string),
        schema: RawValue::from_string(text)
            .map_err(|_| invalid(SCHEMA, "must be JSON in a string"))?,
        strict: Some(true),
    })
}

/// Of what single models take, that which others have a word for.
fn additional(wire: Additional<'_>, request: &mut ChatRequest) -> Result<(), ApiError> {
    const PREFIX: &str = "additionalModelRequestFields.";
    let unknown = &mut request.unknown;
    let top = At::default();
    note(unknown, top, PREFIX, &wire.rest);
    let mut reasoning = Reasoning::default();
    if let Some(thinking) = wire.thinking {
        note(unknown, top, &format!("{PREFIX}thinking."), &thinking.rest);
        reasoning.budget = thinking.budget_tokens;
        reasoning.show = thinking.display.map(|it| it.as_str() != "omitted");
        let kind = thinking.kind.as_ref().map(Text::as_str);
        reasoning.adaptive = kind == Some("adaptive");
        reasoning.enabled = match kind {
            Some("enabled" | "adaptive") => Some(true),
            Some("disabled") => Some(false),
            _ => {
                return Err(invalid(
                    "additionalModelRequestFields.thinking.type",
                    "must be one of enabled, adaptive, disabled",
                ));
            }
        };
    }
    let mut word = wire.reasoning_effort.map(|it| (it, "reasoning_effort"));
    if let Some(config) = wire.output_config {
        note(
            unknown,
            top,
            &format!("{PREFIX}output_config."),
            &config.rest,
        );
        word = config
            .effort
            .map(|it| (it, "output_config.effort"))
            .or(word);
    }
    if let Some(config) = wire.reasoning {
        note(
            unknown,
            top,
            &format!("{PREFIX}reasoningConfig."),
            &config.rest,
        );
        reasoning.enabled = Some(config.kind.as_ref().map(Text::as_str) != Some("disabled"));
        let effort = config.effort;
        word = effort
            .map(|it| (it, "reasoningConfig.maxReasoningEffort"))
            .or(word);
    }
    if let Some((word, name)) = word {
        let effort = Effort::of(word.as_str()).ok_or_else(|| {
            let path = format!("{PREFIX}{name}");
            invalid(
                &path,
                "must be one of none, minimal, low, medium, high, xhigh, max",
            )
        })?;
        reasoning.effort = Some(effort);
    }
    request.reasoning = Some(reasoning).filter(|it| *it != Reasoning::default());
    let of_nova = wire.inference.map(|config| {
        note(
            unknown,
            top,
            &format!("{PREFIX}inferenceConfig."),
            &config.rest,
        );
        config.top_k
    });
    request.sampling.top_k = wire.top_k.or(of_nova.flatten());
    Ok(())
}
