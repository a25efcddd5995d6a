//! A client's request → IR.

use serde_json::value::RawValue;

use super::super::names::place;
use super::wire::{
    Cache, Choice, Format, Request, WireBlock, WireMessage, WireSource, WireThinking, WireTool,
};
use crate::codec::Inbound;
use crate::ir::{
    At, Block, CacheControl, ChatRequest, Content, Effort, Extra, List, Media, MediaKind, Message,
    Reasoning, ResponseFormat, Role, Source, Thinking, Tool, ToolChoice, ToolKind, Unknown,
};
use crate::object::{self, OneOrMany, OneOrManyOrOther, Rest, Text, invalid, missing};
use crate::{ApiError, Dialect, custody};

/// Reads a request.
pub(crate) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let mut wire: Request<'_> = object::read(inbound.body)?;
    let mut request = ChatRequest::new(Dialect::AnthropicMessages);
    request.max_tokens = Some(wire.max_tokens.ok_or_else(|| missing("max_tokens"))?);
    request.include_usage = true;
    let unknown = &mut request.unknown;
    if let Some(system) = wire.system.take() {
        let at = At {
            list: List::System,
            ..At::default()
        };
        request.system = blocks(system, &mut |part| at.part(part), at, unknown)?;
    }
    request.stream = inbound.stream.or(wire.stream).unwrap_or_default();
    let messages = wire.messages.take().ok_or_else(|| missing("messages"))?;
    for (index, message) in messages.into_iter().enumerate() {
        request
            .messages
            .push(self::message(message, index, unknown)?);
    }
    for (index, raw) in wire
        .tools
        .take()
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        request.tools.push(tool(raw, index, unknown)?);
    }
    if let Some(choice) = wire.tool_choice.take() {
        note(unknown, At::default(), "tool_choice.", &choice.rest);
        request.parallel_tool_calls = choice.disable_parallel.map(|disabled| !disabled);
        request.tool_choice = Some(tool_choice(choice)?);
    }
    reasoning(&mut request, &mut wire)?;
    request.stop = wire
        .stop_sequences
        .unwrap_or_default()
        .into_iter()
        .map(Text::into_string)
        .collect();
    request.sampling.temperature = wire.temperature;
    request.sampling.top_p = wire.top_p;
    request.sampling.top_k = wire.top_k;
    if let Some(metadata) = wire.metadata {
        let unknown = &mut request.unknown;
        note(unknown, At::default(), "metadata.", &metadata.rest);
        request.user = metadata.user_id.map(Text::into_string);
    }
    request.extra = extra(wire.rest);
    Ok(request)
}

/// Thinking, effort and the form of the answer.
fn reasoning(request: &mut ChatRequest, wire: &mut Request<'_>) -> Result<(), ApiError> {
    let mut reasoning = Reasoning::default();
    if let Some(wanted) = wire.thinking.take() {
        note(
            &mut request.unknown,
            At::default(),
            "thinking.",
            &wanted.rest,
        );
        reasoning = thinking(&wanted)?;
    }
    let mut format = wire.output_format.take();
    if let Some(config) = wire.output_config.take() {
        note(
            &mut request.unknown,
            At::default(),
            "output_config.",
            &config.rest,
        );
        if let Some(effort) = config.effort {
            let known = Effort::of(effort.as_str()).ok_or_else(|| {
                invalid(
                    "output_config.effort",
                    "must be one of low, medium, high, xhigh, max",
                )
            })?;
            reasoning.effort = Some(known);
        }
        format = config.format.or(format);
    }
    if reasoning != Reasoning::default() {
        request.reasoning = Some(reasoning);
    }
    request.response_format = format.map(|it| self::format(&it)).transpose()?;
    Ok(())
}

fn extra(rest: Rest<'_>) -> Vec<Extra> {
    let says_nothing = |name: &str, value: &str| {
        matches!(
            (name, value),
            ("service_tier", "\"auto\"") | ("mcp_servers", "[]")
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

fn note(unknown: &mut Vec<Unknown>, at: At, prefix: &str, rest: &Rest<'_>) {
    unknown.extend(rest.iter().map(|(name, _)| Unknown {
        at,
        name: format!("{prefix}{name}"),
    }));
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
        Some("system") => Role::System,
        Some(_) => {
            let path = format!("messages[{index}].role");
            return Err(invalid(&path, "must be one of user, assistant, system"));
        }
        None => return Err(missing(&format!("messages[{index}].role"))),
    };
    let content = message
        .content
        .ok_or_else(|| missing(&format!("messages[{index}].content")))?;
    Ok(Message {
        role,
        blocks: blocks(content, &mut |part| at.part(part), at, unknown)?,
        name: None,
        at,
    })
}

fn blocks(
    content: OneOrMany<'_, WireBlock<'_>>,
    place_of: &mut dyn FnMut(usize) -> At,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Vec<Block>, ApiError> {
    match content {
        OneOrMany::One(text) => Ok(vec![Block::new(Content::Text(text.into_string()), at)]),
        OneOrMany::Many(all) => all
            .into_iter()
            .enumerate()
            .map(|(index, one)| block(one, place_of(index), unknown))
            .collect(),
    }
}

fn block(mut wire: WireBlock<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Block, ApiError> {
    let lacks = |name: &str| missing(&format!("{}.{name}", place(at)));
    let kind = wire.kind.take().ok_or_else(|| lacks("type"))?;
    let cache = wire.cache_control.take().map(cache);
    let text =
        |text: Option<Text<'_>>, name| text.map(Text::into_string).ok_or_else(|| lacks(name));
    let content = match kind.as_str() {
        "text" => {
            if wire.citations.is_some_and(|raw| raw.get() != "[]") {
                unknown.push(Unknown {
                    at,
                    name: String::from("citations"),
                });
            }
            Content::Text(text(wire.text.take(), "text")?)
        }
        "image" => Content::Media(media(wire_source(&wire, at)?, MediaKind::Image, at)?),
        "document" => Content::Media(document(&mut wire, at, unknown)?),
        "tool_use" => Content::ToolCall {
            id: text(wire.id.take(), "id")?,
            name: text(wire.name.take(), "name")?,
            arguments: wire.input.map_or("{}", RawValue::get).to_owned(),
            signature: None,
        },
        "tool_result" => Content::ToolResult {
            id: text(wire.tool_use_id.take(), "tool_use_id")?,
            content: match wire.content.take() {
                Some(OneOrManyOrOther(Some(content))) => {
                    blocks(content, &mut |part| at.nested(part), at, unknown)?
                }
                Some(OneOrManyOrOther(None)) => {
                    let path = format!("{}.content", place(at));
                    return Err(invalid(&path, "must be a string or a list"));
                }
                None => Vec::new(),
            },
            is_error: wire.is_error.unwrap_or_default(),
        },
        "thinking" => Content::Thinking(Thinking::Text {
            text: text(wire.thinking.take(), "thinking")?,
            signature: wire
                .signature
                .take()
                .map(Text::into_string)
                .filter(|signature| !signature.is_empty())
                .map(custody::signature),
        }),
        "redacted_thinking" => Content::Thinking(Thinking::Redacted {
            data: text(wire.data.take(), "data")?,
            model: None,
        }),
        // No other dialect has them: what the provider's own tools did, search
        // results, uploads. The bypass carries them, the hub names them.
        _ => {
            return Ok(Block {
                content: Content::Other(RawValue::NULL.to_owned()),
                cache,
                at,
            });
        }
    };
    note(unknown, at, "", &wire.rest);
    Ok(Block { content, cache, at })
}

fn wire_source<'a>(wire: &WireBlock<'a>, at: At) -> Result<WireSource<'a>, ApiError> {
    let path = format!("{}.source", place(at));
    object::read_at(wire.source.ok_or_else(|| missing(&path))?, &path)
}

fn document(
    wire: &mut WireBlock<'_>,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Media, ApiError> {
    let mut source = wire_source(wire, at)?;
    let wanted = |raw: &RawValue| raw.get().contains("true");
    let read = if source.kind.as_ref().map(Text::as_str) == Some("content") {
        let content = source
            .content
            .take()
            .ok_or_else(|| missing(&format!("{}.source.content", place(at))))?;
        let blocks = blocks(content, &mut |_| at, at, unknown)?;
        Media::new(MediaKind::Document, Source::Blocks(blocks))
    } else {
        media(source, MediaKind::Document, at)?
    };
    Ok(Media {
        title: wire.title.take().map(Text::into_string),
        context: wire.context.take().map(Text::into_string),
        citations: wire.citations.take().is_some_and(wanted),
        ..read
    })
}

fn media(source: WireSource<'_>, kind: MediaKind, at: At) -> Result<Media, ApiError> {
    let lacks = |name: &str| missing(&format!("{}.source.{name}", place(at)));
    let source_kind = source.kind.ok_or_else(|| lacks("type"))?;
    let source = match source_kind.as_str() {
        "base64" => Source::Base64 {
            media_type: source
                .media_type
                .ok_or_else(|| lacks("media_type"))?
                .into_string(),
            data: source.data.ok_or_else(|| lacks("data"))?.into_string(),
        },
        "text" => Source::Text(source.data.ok_or_else(|| lacks("data"))?.into_string()),
        "url" => Source::Url(source.url.ok_or_else(|| lacks("url"))?.into_string()),
        "file" => Source::File(
            source
                .file_id
                .ok_or_else(|| lacks("file_id"))?
                .into_string(),
        ),
        _ => {
            return Err(invalid(
                &format!("{}.source.type", place(at)),
                "must be one of base64, text, url, file, content",
            ));
        }
    };
    Ok(Media::new(kind, source))
}

fn tool(raw: &RawValue, index: usize, unknown: &mut Vec<Unknown>) -> Result<Tool, ApiError> {
    let at = At::item(List::Tools, index);
    let path = format!("tools[{index}]");
    let wire: WireTool<'_> = object::read_at(raw, &path)?;
    let kind = match wire.kind.as_ref().map(Text::as_str) {
        None | Some("custom") => {
            note(unknown, at, "", &wire.rest);
            ToolKind::Function {
                name: wire
                    .name
                    .ok_or_else(|| missing(&format!("{path}.name")))?
                    .into_string(),
                description: wire.description.map(Text::into_string),
                parameters: wire.input_schema.map(ToOwned::to_owned),
                strict: wire.strict,
            }
        }
        Some(_) => ToolKind::Other(raw.to_owned()),
    };
    Ok(Tool {
        kind,
        cache: wire.cache_control.map(cache),
        at,
    })
}

fn tool_choice(choice: Choice<'_>) -> Result<ToolChoice, ApiError> {
    match choice.kind.as_ref().map(Text::as_str) {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("any") => Ok(ToolChoice::Required),
        Some("none") => Ok(ToolChoice::None),
        Some("tool") => choice
            .name
            .map(|name| ToolChoice::Named(name.into_string()))
            .ok_or_else(|| missing("tool_choice.name")),
        _ => Err(invalid(
            "tool_choice.type",
            "must be one of auto, any, tool, none",
        )),
    }
}

fn thinking(thinking: &WireThinking<'_>) -> Result<Reasoning, ApiError> {
    let show = thinking
        .display
        .as_ref()
        .map(|display| display.as_str() != "omitted");
    let (enabled, adaptive) = match thinking.kind.as_ref().map(Text::as_str) {
        Some("enabled") => (Some(true), false),
        Some("adaptive") => (Some(true), true),
        Some("disabled") => (Some(false), false),
        _ => {
            return Err(invalid(
                "thinking.type",
                "must be one of enabled, adaptive, disabled",
            ));
        }
    };
    Ok(Reasoning {
        enabled,
        adaptive,
        effort: None,
        budget: thinking.budget_tokens,
        show,
    })
}

fn format(format: &Format<'_>) -> Result<ResponseFormat, ApiError> {
    if format.kind.as_ref().map(Text::as_str) != Some("json_schema") {
        return Err(invalid("output_config.format.type", "must be json_schema"));
    }
    let schema = format
        .schema
        .ok_or_else(|| missing("output_config.format.schema"))?;
    Ok(ResponseFormat::JsonSchema {
        name: None,
        description: None,
        schema: schema.to_owned(),
        strict: Some(true),
    })
}

fn cache(cache: Cache<'_>) -> CacheControl {
    CacheControl {
        ttl: cache.ttl.map(Text::into_string),
    }
}
