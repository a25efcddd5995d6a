//! A client's request → IR.

use serde_json::value::RawValue;

use super::wire::{
    Audio, Cache, Call, Choice, File, Format, ImageUrl, Part, Request, StreamOptions, WireMessage,
    WireTool,
};
use crate::codec::Inbound;
use crate::ir::{
    At, Block, CacheControl, ChatRequest, Content, Effort, Extra, List, Logprobs, Media, MediaKind,
    Message, Reasoning, ResponseFormat, Role, Sampling, Source, Thinking, Tool, ToolChoice,
    ToolKind, Unknown,
};
use crate::object::{self, OneOrMany, Rest, Text, invalid, missing};
use crate::{ApiError, Dialect, media};

/// Reads a request.
pub(crate) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let mut wire: Request<'_> = object::read(inbound.body)?;
    let mut request = ChatRequest::new(Dialect::OpenAiChat);
    request.stream = inbound.stream.or(wire.stream).unwrap_or_default();
    let messages = wire.messages.take().ok_or_else(|| missing("messages"))?;
    for (at, message) in messages.into_iter().enumerate() {
        push_message(&mut request, message, at)?;
    }
    let tools = wire.tools.take().unwrap_or_default();
    for (at, raw) in tools.into_iter().enumerate() {
        let read = tool(raw, at, &mut request.unknown)?;
        request.tools.push(read);
    }
    request.tool_choice = wire.tool_choice.map(tool_choice).transpose()?;
    request.parallel_tool_calls = wire.parallel_tool_calls;
    request.response_format = match wire.response_format.take() {
        Some(wanted) => format(wanted)?,
        None => None,
    };
    request.reasoning = wire.reasoning_effort.take().map(effort).transpose()?;
    if let Some(options) = wire.stream_options.take() {
        stream_options(&mut request, &options);
    }
    parameters(&mut request, wire);
    Ok(request)
}

fn parameters(request: &mut ChatRequest, wire: Request<'_>) {
    request.max_tokens = wire.max_completion_tokens.or(wire.max_tokens);
    request.stop = match wire.stop {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text.into_string()],
        Some(OneOrMany::Many(all)) => all.into_iter().map(Text::into_string).collect(),
    };
    request.sampling = Sampling {
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        frequency_penalty: wire.frequency_penalty,
        presence_penalty: wire.presence_penalty,
        seed: wire.seed,
        logit_bias: wire.logit_bias.map(ToOwned::to_owned),
    };
    request.choices = wire.n;
    request.logprobs = wire.logprobs.unwrap_or_default().then_some(Logprobs {
        top: wire.top_logprobs,
    });
    let user = wire.safety_identifier.or(wire.user);
    request.user = user.map(Text::into_string);
    request.metadata = wire.metadata.map(ToOwned::to_owned);
    request.extra = extra(wire.rest);
}

fn stream_options(request: &mut ChatRequest, options: &StreamOptions<'_>) {
    request.include_usage = options.include_usage.unwrap_or_default();
    let unknown = options.rest.iter().map(|(name, _)| Unknown {
        at: At::default(),
        name: format!("stream_options.{name}"),
    });
    request.unknown.extend(unknown);
}

/// Fields for which the IR has no room, but those that only say what is so anyway.
fn extra(rest: Rest<'_>) -> Vec<Extra> {
    let says_nothing = |name: &str, value: &str| {
        matches!(
            (name, value),
            ("store", "false")
                | ("service_tier", "\"auto\"" | "\"default\"")
                | ("modalities", "[\"text\"]")
                | ("verbosity", "\"medium\"")
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

fn note(unknown: &mut Vec<Unknown>, at: At, rest: &Rest<'_>) {
    unknown.extend(rest.iter().map(|(name, _)| Unknown {
        at,
        name: name.clone().into_owned(),
    }));
}

fn push_message(
    request: &mut ChatRequest,
    mut message: WireMessage<'_>,
    index: usize,
) -> Result<(), ApiError> {
    let at = At::item(List::Messages, index);
    let unknown = &mut request.unknown;
    note(unknown, at, &message.rest);
    let (name, cached) = (message.name.take(), message.cache_control.take());
    let role = message.role.take().map(Text::into_string);
    let (role, mut blocks) = match role.as_deref() {
        Some("system" | "developer") => (Role::System, content(message.content, at, unknown)?),
        Some("user") => (Role::User, content(message.content, at, unknown)?),
        Some("assistant") => (Role::Assistant, said(message, index, unknown)?),
        Some("tool") => (Role::User, vec![result(message, at, unknown)?]),
        Some(_) => {
            return Err(invalid(
                &format!("messages[{index}].role"),
                "must be one of system, developer, user, assistant, tool",
            ));
        }
        None => return Err(missing(&format!("messages[{index}].role"))),
    };
    if let (Some(cached), Some(last)) = (cached, blocks.last_mut()) {
        last.cache.get_or_insert(cache(cached));
    }
    if role == Role::System && request.messages.is_empty() && name.is_none() {
        request.system.extend(blocks);
    } else {
        request.messages.push(Message {
            role,
            blocks,
            name: name.map(Text::into_string),
            at,
        });
    }
    Ok(())
}

/// What the model said.
fn said(
    message: WireMessage<'_>,
    index: usize,
    unknown: &mut Vec<Unknown>,
) -> Result<Vec<Block>, ApiError> {
    let at = At::item(List::Messages, index);
    let mut blocks = Vec::new();
    let thoughts = message.reasoning_content.or(message.reasoning);
    if let Some(text) = thoughts.filter(|text| !text.as_str().is_empty()) {
        let thinking = Thinking::Text {
            text: text.into_string(),
            signature: None,
        };
        blocks.push(Block::new(Content::Thinking(thinking), at));
    }
    blocks.extend(content(message.content, at, unknown)?);
    if let Some(refusal) = message.refusal {
        blocks.push(Block::new(Content::Refusal(refusal.into_string()), at));
    }
    let calls = message.tool_calls.unwrap_or_default();
    for (place, call) in calls.into_iter().enumerate() {
        blocks.push(tool_call(call, index, place, unknown)?);
    }
    Ok(blocks)
}

/// What a tool said.
fn result(message: WireMessage<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Block, ApiError> {
    let id = message
        .tool_call_id
        .ok_or_else(|| missing(&format!("messages[{}].tool_call_id", at.item)))?;
    let result = Content::ToolResult {
        id: id.into_string(),
        content: content(message.content, at, unknown)?,
        is_error: false,
    };
    Ok(Block::new(result, at))
}

fn content(
    content: Option<OneOrMany<'_, Part<'_>>>,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Vec<Block>, ApiError> {
    match content {
        None => Ok(Vec::new()),
        Some(OneOrMany::One(text)) => Ok(vec![Block::new(Content::Text(text.into_string()), at)]),
        Some(OneOrMany::Many(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(place, read)| part(read, at.part(place), unknown))
            .collect(),
    }
}

fn part(part: Part<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Block, ApiError> {
    let path = || super::super::names::place(at);
    note(unknown, at, &part.rest);
    let kind = part
        .kind
        .ok_or_else(|| missing(&format!("{}.type", path())))?;
    let content = match kind.as_str() {
        "text" => {
            let text = part
                .text
                .ok_or_else(|| missing(&format!("{}.text", path())))?;
            Content::Text(text.into_string())
        }
        "refusal" => {
            let text = part
                .refusal
                .ok_or_else(|| missing(&format!("{}.refusal", path())))?;
            Content::Refusal(text.into_string())
        }
        "image_url" => {
            let image = part
                .image_url
                .ok_or_else(|| missing(&format!("{}.image_url", path())))?;
            Content::Media(image_of(image, &path())?)
        }
        "input_audio" => {
            let audio = part
                .input_audio
                .ok_or_else(|| missing(&format!("{}.input_audio", path())))?;
            Content::Media(audio_of(audio, &path())?)
        }
        "file" => {
            let file = part
                .file
                .ok_or_else(|| missing(&format!("{}.file", path())))?;
            Content::Media(file_of(file, &path())?)
        }
        _ => {
            return Err(invalid(
                &format!("{}.type", path()),
                "must be one of text, image_url, input_audio, file, refusal",
            ));
        }
    };
    Ok(Block {
        content,
        cache: part.cache_control.map(cache),
        at,
    })
}

fn image_of(image: ImageUrl<'_>, path: &str) -> Result<Media, ApiError> {
    let path = format!("{path}.image_url.url");
    let url = image.url.ok_or_else(|| missing(&path))?;
    let source = media::source(url.as_str())
        .ok_or_else(|| invalid(&path, "must be an http or https URL, or a base64 data URL"))?;
    Ok(Media {
        detail: image.detail.map(Text::into_string),
        ..Media::new(MediaKind::Image, source)
    })
}

fn audio_of(audio: Audio<'_>, path: &str) -> Result<Media, ApiError> {
    let data = audio
        .data
        .ok_or_else(|| missing(&format!("{path}.input_audio.data")))?;
    let format = audio
        .format
        .ok_or_else(|| missing(&format!("{path}.input_audio.format")))?;
    let source = Source::Base64 {
        media_type: format!("audio/{}", format.as_str()),
        data: data.into_string(),
    };
    Ok(Media::new(MediaKind::Audio, source))
}

fn file_of(file: File<'_>, path: &str) -> Result<Media, ApiError> {
    let source = match (file.file_data, file.file_id) {
        (Some(data), _) => media::source(data.as_str()).ok_or_else(|| {
            invalid(
                &format!("{path}.file.file_data"),
                "must be a base64 data URL",
            )
        })?,
        (None, Some(id)) => Source::File(id.into_string()),
        (None, None) => return Err(missing(&format!("{path}.file.file_data"))),
    };
    Ok(Media {
        title: file.filename.map(Text::into_string),
        ..Media::new(MediaKind::Document, source)
    })
}

fn tool_call(
    call: Call<'_>,
    message: usize,
    place: usize,
    unknown: &mut Vec<Unknown>,
) -> Result<Block, ApiError> {
    let at = At::item(List::Calls, message).part(place);
    let path = super::super::names::place(at);
    note(unknown, at, &call.rest);
    let function = call.function.ok_or_else(|| match call.kind {
        Some(kind) if kind.as_str() != "function" => {
            invalid(&format!("{path}.type"), "must be function")
        }
        _ => missing(&format!("{path}.function")),
    })?;
    Ok(Block::new(
        Content::ToolCall {
            id: call
                .id
                .ok_or_else(|| missing(&format!("{path}.id")))?
                .into_string(),
            name: function
                .name
                .ok_or_else(|| missing(&format!("{path}.function.name")))?
                .into_string(),
            arguments: function
                .arguments
                .map(Text::into_string)
                .unwrap_or_default(),
            signature: None,
        },
        at,
    ))
}

fn tool(raw: &RawValue, index: usize, unknown: &mut Vec<Unknown>) -> Result<Tool, ApiError> {
    let at = At::item(List::Tools, index);
    let path = format!("tools[{index}]");
    let wire: WireTool<'_> = object::read_at(raw, &path)?;
    let kind = match (wire.kind.as_ref().map(Text::as_str), wire.function) {
        (None | Some("function"), Some(function)) => {
            note(unknown, at, &wire.rest);
            note(unknown, at, &function.rest);
            ToolKind::Function {
                name: function
                    .name
                    .ok_or_else(|| missing(&format!("{path}.function.name")))?
                    .into_string(),
                description: function.description.map(Text::into_string),
                parameters: function.parameters.map(ToOwned::to_owned),
                strict: function.strict,
            }
        }
        (None | Some("function"), None) => return Err(missing(&format!("{path}.function"))),
        (Some(_), _) => ToolKind::Other(raw.to_owned()),
    };
    Ok(Tool {
        kind,
        cache: wire.cache_control.map(cache),
        at,
    })
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice, ApiError> {
    let wrong = || {
        invalid(
            "tool_choice",
            "must be none, auto, required, a function or allowed_tools",
        )
    };
    match raw.get() {
        "\"auto\"" => return Ok(ToolChoice::Auto),
        "\"none\"" => return Ok(ToolChoice::None),
        "\"required\"" => return Ok(ToolChoice::Required),
        text if text.starts_with('"') => return Err(wrong()),
        _ => {}
    }
    let choice: Choice<'_> = object::read_at(raw, "tool_choice")?;
    match choice.kind.as_ref().map(Text::as_str) {
        Some("function") => {
            let name = choice.function.and_then(|function| function.name);
            name.map(|name| ToolChoice::Named(name.into_string()))
                .ok_or_else(|| missing("tool_choice.function.name"))
        }
        Some("allowed_tools") => {
            let allowed = choice.allowed_tools.ok_or_else(wrong)?;
            let required = allowed.mode.is_some_and(|mode| mode.as_str() == "required");
            let names = allowed.tools.unwrap_or_default().into_iter();
            let names = names.map(|tool| tool.function?.name.map(Text::into_string));
            Ok(ToolChoice::Allowed {
                names: names.collect::<Option<_>>().ok_or_else(wrong)?,
                required,
            })
        }
        _ => Err(wrong()),
    }
}

fn format(format: Format<'_>) -> Result<Option<ResponseFormat>, ApiError> {
    match format.kind.as_ref().map(Text::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(ResponseFormat::JsonObject)),
        Some("json_schema") => {
            let schema = format
                .json_schema
                .ok_or_else(|| missing("response_format.json_schema"))?;
            Ok(Some(ResponseFormat::JsonSchema {
                name: schema.name.map(Text::into_string),
                description: schema.description.map(Text::into_string),
                schema: schema
                    .schema
                    .ok_or_else(|| missing("response_format.json_schema.schema"))?
                    .to_owned(),
                strict: schema.strict,
            }))
        }
        _ => Err(invalid(
            "response_format.type",
            "must be one of text, json_object, json_schema",
        )),
    }
}

fn effort(effort: Text<'_>) -> Result<Reasoning, ApiError> {
    let effort = Effort::of(effort.as_str()).ok_or_else(|| {
        invalid(
            "reasoning_effort",
            "must be one of none, minimal, low, medium, high, xhigh, max",
        )
    })?;
    Ok(Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    })
}

fn cache(cache: Cache<'_>) -> CacheControl {
    CacheControl {
        ttl: cache.ttl.map(Text::into_string),
    }
}
