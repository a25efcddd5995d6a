//! A client's request → IR.

use serde_json::value::RawValue;

use super::answered::Waiting;
use super::wire::{Call, Options, Request, WireMessage, WireTool};
use crate::codec::Inbound;
use crate::ir::{
    At, Block, ChatRequest, Content, Effort, Extra, List, Logprobs, Media, MediaKind, Message,
    Reasoning, ResponseFormat, Role, Sampling, Source, Thinking, Tool, ToolKind, Unknown,
};
use crate::object::{self, OneOrMany, Rest, Text, invalid, missing};
use crate::{ApiError, Dialect};

/// Reads a request.
pub(in crate::ollama) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let mut wire: Request<'_> = object::read(inbound.body)?;
    let mut request = ChatRequest::new(Dialect::OllamaChat);
    request.include_usage = true;
    // "Stream … true by default".
    request.stream = inbound.stream.or(wire.stream).unwrap_or(true);
    let messages = wire.messages.take().ok_or_else(|| missing("messages"))?;
    let mut waiting = Waiting::default();
    for (index, message) in messages.into_iter().enumerate() {
        push_message(&mut request, message, index, &mut waiting)?;
    }
    let tools = wire.tools.take().unwrap_or_default();
    for (index, raw) in tools.into_iter().enumerate() {
        let read = tool(raw, index, &mut request.unknown)?;
        request.tools.push(read);
    }
    request.response_format = wire.format.map(format).transpose()?.flatten();
    request.reasoning = wire.think.map(think).transpose()?.flatten();
    request.logprobs = wire.logprobs.unwrap_or_default().then_some(Logprobs {
        top: wire.top_logprobs.filter(|top| *top > 0),
    });
    if let Some(options) = wire.options.take() {
        self::options(options, &mut request);
    }
    request.extra = extra(wire.rest);
    Ok(request)
}

/// Fields for which the IR has no room, but those that only say what is so anyway.
fn extra(rest: Rest<'_>) -> Vec<Extra> {
    let says_nothing =
        |name: &str, value: &str| matches!((name, value), ("truncate" | "shift", "true"));
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

fn options(options: Options<'_>, request: &mut ChatRequest) {
    note(
        &mut request.unknown,
        At::default(),
        "options.",
        &options.rest,
    );
    // -1 is without end, -2 to the end of the context window.
    request.max_tokens = options
        .num_predict
        .and_then(|most| u64::try_from(most).ok());
    request.stop = match options.stop {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text.into_string()],
        Some(OneOrMany::Many(all)) => all.into_iter().map(Text::into_string).collect(),
    };
    request.sampling = Sampling {
        temperature: options.temperature,
        top_p: options.top_p,
        top_k: options.top_k,
        frequency_penalty: options.frequency_penalty,
        presence_penalty: options.presence_penalty,
        seed: options.seed,
        logit_bias: None,
    };
}

fn push_message(
    request: &mut ChatRequest,
    mut message: WireMessage<'_>,
    index: usize,
    waiting: &mut Waiting,
) -> Result<(), ApiError> {
    let at = At::item(List::Messages, index);
    let unknown = &mut request.unknown;
    note(unknown, at, "", &message.rest);
    let role = message.role.take();
    let (role, blocks) = match role.as_ref().map(Text::as_str) {
        Some("system") => (Role::System, content(&mut message, at)?),
        Some("user") => (Role::User, content(&mut message, at)?),
        Some("assistant") => (Role::Assistant, said(message, index, waiting, unknown)?),
        Some("tool") => (Role::User, vec![result(&mut message, at, waiting)?]),
        Some(_) => {
            return Err(invalid(
                &format!("messages[{index}].role"),
                "must be one of system, user, assistant, tool",
            ));
        }
        None => return Err(missing(&format!("messages[{index}].role"))),
    };
    if role == Role::System && request.messages.is_empty() {
        request.system.extend(blocks);
    } else {
        request.messages.push(Message {
            role,
            blocks,
            name: None,
            at,
        });
    }
    Ok(())
}

/// Text and images, of whoever speaks.
fn content(message: &mut WireMessage<'_>, at: At) -> Result<Vec<Block>, ApiError> {
    let mut blocks = Vec::new();
    let text = message.content.take();
    if let Some(text) = text.filter(|text| !text.as_str().is_empty()) {
        blocks.push(Block::new(Content::Text(text.into_string()), at));
    }
    let images = message.images.take().unwrap_or_default();
    for (place, data) in images.into_iter().enumerate() {
        let at = at.part(place);
        let media_type = media_type(data.as_str()).ok_or_else(|| {
            let path = super::super::names::place(at);
            invalid(&path, "must be a PNG, JPEG, GIF or WebP image in base64")
        })?;
        let source = Source::Base64 {
            media_type: media_type.to_owned(),
            data: data.into_string(),
        };
        let image = Media::new(MediaKind::Image, source);
        blocks.push(Block::new(Content::Media(image), at));
    }
    if blocks.is_empty() {
        // So that the message is one.
        blocks.push(Block::new(Content::Text(String::new()), at));
    }
    Ok(blocks)
}

/// The media type, which this wire does not say: by the first bytes of the image.
fn media_type(base64: &str) -> Option<&'static str> {
    [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ]
    .into_iter()
    .find(|(first, _)| base64.starts_with(first))
    .map(|(_, media_type)| media_type)
}

/// What the model said.
fn said(
    mut message: WireMessage<'_>,
    index: usize,
    waiting: &mut Waiting,
    unknown: &mut Vec<Unknown>,
) -> Result<Vec<Block>, ApiError> {
    let at = At::item(List::Messages, index);
    let mut blocks = Vec::new();
    let thoughts = message.thinking.take();
    if let Some(text) = thoughts.filter(|text| !text.as_str().is_empty()) {
        let thinking = Thinking::Text {
            text: text.into_string(),
            signature: None,
        };
        blocks.push(Block::new(Content::Thinking(thinking), at));
    }
    let calls = message.tool_calls.take().unwrap_or_default();
    let is_silent = message
        .content
        .as_ref()
        .is_none_or(|it| it.as_str().is_empty());
    if !is_silent || message.images.is_some() || calls.is_empty() {
        blocks.extend(content(&mut message, at)?);
    }
    for (place, call) in calls.into_iter().enumerate() {
        blocks.push(tool_call(call, index, place, waiting, unknown)?);
    }
    Ok(blocks)
}

fn tool_call(
    call: Call<'_>,
    message: usize,
    place: usize,
    waiting: &mut Waiting,
    unknown: &mut Vec<Unknown>,
) -> Result<Block, ApiError> {
    let at = At::item(List::Calls, message).part(place);
    let path = super::super::names::place(at);
    note(unknown, at, "", &call.rest);
    let function = call
        .function
        .ok_or_else(|| missing(&format!("{path}.function")))?;
    note(unknown, at, "function.", &function.rest);
    let name = function.name.map(Text::into_string);
    let name = name.ok_or_else(|| missing(&format!("{path}.function.name")))?;
    // The same in every turn, so that the provider's cache knows it again.
    let id = call.id.map(Text::into_string).filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| format!("call_{message}_{place}"));
    waiting.call(&id, &name);
    let arguments = function.arguments.map(RawValue::get).unwrap_or_default();
    let call = Content::ToolCall {
        id,
        name,
        arguments: arguments.to_owned(),
        signature: None,
    };
    Ok(Block::new(call, at))
}

/// What a tool said.
fn result(message: &mut WireMessage<'_>, at: At, waiting: &mut Waiting) -> Result<Block, ApiError> {
    let name = message.tool_name.take();
    let id = message.tool_call_id.take();
    let name = name.as_ref().map(Text::as_str).filter(|it| !it.is_empty());
    let id = id.as_ref().map(Text::as_str).filter(|it| !it.is_empty());
    let id = waiting.answer(id, name).ok_or_else(|| {
        let field = if id.is_some() {
            "tool_call_id"
        } else {
            "tool_name"
        };
        let path = format!("messages[{}].{field}", at.item);
        invalid(
            &path,
            "must be that of a call before it which has no result yet",
        )
    })?;
    let result = Content::ToolResult {
        id,
        content: content(message, at)?,
        is_error: false,
    };
    Ok(Block::new(result, at))
}

fn tool(raw: &RawValue, index: usize, unknown: &mut Vec<Unknown>) -> Result<Tool, ApiError> {
    let at = At::item(List::Tools, index);
    let path = format!("tools[{index}]");
    let wire: WireTool<'_> = object::read_at(raw, &path)?;
    let kind = match (wire.kind.as_ref().map(Text::as_str), wire.function) {
        (None | Some("" | "function"), Some(function)) => {
            note(unknown, at, "", &wire.rest);
            note(unknown, at, "function.", &function.rest);
            let name = function.name.map(Text::into_string);
            ToolKind::Function {
                name: name.ok_or_else(|| missing(&format!("{path}.function.name")))?,
                description: function.description.map(Text::into_string),
                parameters: function.parameters.map(ToOwned::to_owned),
                strict: None,
            }
        }
        (None | Some("" | "function"), None) => {
            return Err(missing(&format!("{path}.function")));
        }
        (Some(_), _) => ToolKind::Other(raw.to_owned()),
    };
    Ok(Tool {
        kind,
        cache: None,
        at,
    })
}

fn format(raw: &RawValue) -> Result<Option<ResponseFormat>, ApiError> {
    match raw.get() {
        "\"\"" => Ok(None),
        "\"json\"" => Ok(Some(ResponseFormat::JsonObject)),
        text if text.starts_with('{') => Ok(Some(ResponseFormat::JsonSchema {
            name: None,
            description: None,
            schema: raw.to_owned(),
            strict: Some(true),
        })),
        _ => Err(invalid("format", "must be json or a JSON schema")),
    }
}

fn think(raw: &RawValue) -> Result<Option<Reasoning>, ApiError> {
    let (enabled, effort) = match raw.get() {
        "\"\"" => return Ok(None),
        "true" => (Some(true), None),
        "false" => (Some(false), None),
        "\"low\"" => (None, Some(Effort::Low)),
        "\"medium\"" => (None, Some(Effort::Medium)),
        "\"high\"" => (None, Some(Effort::High)),
        "\"max\"" => (None, Some(Effort::Max)),
        _ => {
            let what = "must be a boolean or one of low, medium, high, max";
            return Err(invalid("think", what));
        }
    };
    Ok(Some(Reasoning {
        enabled,
        effort,
        // Thoughts are a part of the answer here.
        show: (enabled != Some(false)).then_some(true),
        ..Reasoning::default()
    }))
}
