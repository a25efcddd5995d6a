//! The messages of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::write::TOOL_NAME;
use crate::codec::{Encode, Limits, fit};
use crate::ir::{
    At, Block, CacheControl, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Source,
    Thinking,
};
use crate::object::invalid;
use crate::{ApiError, Dialect, custody, json, media};

/// Ids of tool calls: `[a-zA-Z0-9_-]+`.
const CALL_ID: Limits = Limits { bytes: 256 };

/// What a user is taken to have said before the model's first word; blank is a 400.
pub(crate) const GREETING: &str = "Hello.";

/// A message.
#[derive(Serialize)]
pub(super) struct Out<'a> {
    pub(super) role: &'static str,
    pub(super) content: Vec<OutBlock<'a>>,
}

#[derive(Serialize)]
pub(super) struct OutBlock<'a> {
    #[serde(flatten)]
    kind: OutKind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<OutCache<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutKind<'a> {
    Document(OutDocument<'a>),
    Image {
        source: OutSource<'a>,
    },
    RedactedThinking {
        data: &'a str,
    },
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<OutBlock<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Cow<'a, RawValue>,
    },
}

#[derive(Serialize)]
struct OutDocument<'a> {
    source: OutSource<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Citations>,
}

#[derive(Serialize)]
struct Citations {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutSource<'a> {
    Base64 {
        media_type: &'a str,
        data: &'a str,
    },
    Content {
        content: Vec<OutBlock<'a>>,
    },
    File {
        file_id: &'a str,
    },
    Text {
        media_type: &'static str,
        data: Cow<'a, str>,
    },
    Url {
        url: &'a str,
    },
}

/// `cache_control`.
#[derive(Serialize)]
pub(super) struct OutCache<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> OutCache<'a> {
    pub(super) fn of(cache: Option<&'a CacheControl>) -> Option<Self> {
        cache.map(|cache| Self {
            r#type: "ephemeral",
            ttl: cache.ttl.as_deref(),
        })
    }
}

/// Writes the system prompt: what stood at the beginning, and what stood later
/// where the model takes no instructions there.
pub(super) fn system<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Vec<OutBlock<'a>> {
    let mut out = Vec::new();
    for block in &request.system {
        push(block, to, &mut out);
    }
    for (index, message) in request.messages.iter().enumerate() {
        if message.role == Role::System && !stays(request, index, to) {
            if index > 0 {
                to.drop(message.at, Field::Role);
            }
            note_name(message, to);
            for block in &message.blocks {
                push(block, to, &mut out);
            }
        }
    }
    out
}

/// Instructions may stand behind a turn of the user, where they may stand at all.
fn stays(request: &ChatRequest, index: usize, to: &Encode<'_>) -> bool {
    let before = index.checked_sub(1).and_then(|it| request.messages.get(it));
    to.capabilities.system_turns && before.is_some_and(|message| message.role == Role::User)
}

/// Writes the messages; those of one role behind each other become one turn.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Vec<Out<'a>>, ApiError> {
    let mut out: Vec<Out<'a>> = Vec::with_capacity(request.messages.len());
    for (index, message) in request.messages.iter().enumerate() {
        let role = match message.role {
            Role::Assistant => "assistant",
            Role::User => "user",
            Role::System if stays(request, index, to) => "system",
            Role::System => continue,
        };
        note_name(message, to);
        let mut content = Vec::with_capacity(message.blocks.len());
        for block in &message.blocks {
            push(block, to, &mut content);
        }
        if content.is_empty() {
            refuse_if_lost(message, to)?;
            continue;
        }
        match out.last_mut() {
            Some(last) if last.role == role => last.content.append(&mut content),
            _ => out.push(Out { role, content }),
        }
    }
    if let (Some(last), Some(message)) = (out.last_mut(), request.messages.last())
        && last.role == "assistant"
    {
        if !to.capabilities.prefill {
            let path = to.path(message.at, Field::Role);
            return Err(invalid(
                &path,
                "must not be assistant in the last message: this model does not continue a turn",
            ));
        }
        // "Final assistant content cannot end with trailing whitespace."
        if let Some(OutKind::Text { text }) = last.content.last_mut().map(|it| &mut it.kind) {
            *text = text.trim_end();
        }
    }
    greet(&mut out);
    Ok(out)
}

/// "The first message must use the user role": other wires let the model greet first.
fn greet(out: &mut Vec<Out<'_>>) {
    if out.first().is_some_and(|turn| turn.role == "assistant") {
        let kind = OutKind::Text { text: GREETING };
        let content = vec![OutBlock {
            kind,
            cache_control: None,
        }];
        out.insert(
            0,
            Out {
                role: "user",
                content,
            },
        );
    }
}

fn note_name(message: &Message, to: &mut Encode<'_>) {
    if message.name.is_some() {
        to.drop(message.at, Field::MessageName);
    }
}

/// An empty message says nothing and may go; one of which nothing can be carried
/// may not.
fn refuse_if_lost(message: &Message, to: &Encode<'_>) -> Result<(), ApiError> {
    let carried = |block: &Block| match &block.content {
        Content::Text(_) | Content::Refusal(_) | Content::Thinking(_) => true,
        Content::Media(_)
        | Content::Other(_)
        | Content::ToolCall { .. }
        | Content::ToolResult { .. } => false,
    };
    if message.blocks.iter().all(carried) {
        return Ok(());
    }
    let path = to.path(message.at, Field::Whole);
    Err(invalid(
        &path,
        "has nothing that the upstream of this model can carry",
    ))
}

fn push<'a>(block: &'a Block, to: &mut Encode<'_>, out: &mut Vec<OutBlock<'a>>) {
    let kind = match &block.content {
        // Empty text is a 400 here.
        Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => return,
        Content::Text(text) | Content::Refusal(text) => OutKind::Text { text },
        Content::Media(media) => match self::media(media, block.at, to) {
            Some(kind) => kind,
            None => return,
        },
        Content::Thinking(thinking) => {
            if !custody::may_be_given_back(thinking, to.model) {
                return to.strip(block.at, Field::Thinking);
            }
            match thinking {
                Thinking::Redacted { data, .. } => OutKind::RedactedThinking { data },
                Thinking::Text { text, signature } => OutKind::Thinking {
                    thinking: text,
                    signature: signature.as_ref().map_or("", |it| &it.value),
                },
            }
        }
        Content::ToolCall {
            id,
            name,
            arguments,
            ..
        } => OutKind::ToolUse {
            id: fit(id, CALL_ID),
            name: to.tools.fit(name, TOOL_NAME),
            input: input(arguments, block.at, to),
        },
        Content::ToolResult {
            id,
            content,
            is_error,
        } => {
            let mut inner = Vec::with_capacity(content.len());
            for block in content {
                push(block, to, &mut inner);
            }
            OutKind::ToolResult {
                tool_use_id: fit(id, CALL_ID),
                content: inner,
                is_error: *is_error,
            }
        }
        Content::Other(_) => return to.drop(block.at, Field::Whole),
    };
    out.push(OutBlock {
        kind,
        cache_control: OutCache::of(block.cache.as_ref()),
    });
}

/// Arguments must be an object here; what a model wrote may be none.
fn input<'a>(arguments: &'a str, at: At, to: &mut Encode<'_>) -> Cow<'a, RawValue> {
    let text = arguments.trim();
    if text.is_empty() {
        return Cow::Owned(raw(String::from("{}")));
    }
    if text.starts_with('{')
        && let Ok(object) = serde_json::from_str::<&RawValue>(text)
    {
        return Cow::Borrowed(object);
    }
    to.strip(at, Field::Arguments);
    Cow::Owned(raw(format!(
        "{{\"unreadable_arguments\":{}}}",
        json::to_line(&arguments)
    )))
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn media<'a>(media: &'a Media, at: At, to: &mut Encode<'_>) -> Option<OutKind<'a>> {
    if media
        .detail
        .as_deref()
        .is_some_and(|detail| detail != "auto")
    {
        to.drop(at, Field::ImageDetail);
    }
    let source = match (&media.source, media.kind) {
        (_, MediaKind::Audio | MediaKind::Video) => {
            to.drop(at, Field::Whole);
            return None;
        }
        (Source::Base64 { media_type, data }, MediaKind::Document)
            if media_type.starts_with("text/") =>
        {
            let Some(text) = media::text(data) else {
                to.drop(at, Field::Whole);
                return None;
            };
            OutSource::Text {
                media_type: "text/plain",
                data: Cow::Owned(text),
            }
        }
        (Source::Base64 { media_type, data }, _) => OutSource::Base64 { media_type, data },
        (Source::Text(text), _) => OutSource::Text {
            media_type: "text/plain",
            data: Cow::Borrowed(text),
        },
        (Source::Url(url), _) => OutSource::Url { url },
        (Source::File(id), _) if to.is_from(Dialect::AnthropicMessages) => {
            OutSource::File { file_id: id }
        }
        (Source::File(_), _) => {
            to.drop(at, Field::Whole);
            return None;
        }
        (Source::Blocks(blocks), _) => {
            let mut content = Vec::with_capacity(blocks.len());
            for block in blocks {
                push(block, to, &mut content);
            }
            OutSource::Content { content }
        }
    };
    if media.kind == MediaKind::Image {
        return Some(OutKind::Image { source });
    }
    Some(OutKind::Document(OutDocument {
        source,
        title: media.title.as_deref(),
        context: media.context.as_deref(),
        citations: media.citations.then_some(Citations { enabled: true }),
    }))
}
