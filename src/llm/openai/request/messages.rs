//! The messages of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;

use super::write::TOOL_NAME;
use crate::capabilities::ReasoningField;
use crate::codec::{Encode, Limits, fit};
use crate::ir::{
    At, Block, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Source, Thinking,
};
use crate::object::invalid;
use crate::{ApiError, custody, media};

/// Ids of tool calls: OpenAI takes at most 40 characters.
const CALL_ID: Limits = Limits { bytes: 40 };

/// A message.
#[derive(Default, Serialize)]
pub(super) struct Out<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    /// Null where the model only called tools.
    content: Option<OutContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OutCall<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OutContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<OutPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: OutImage<'a> },
    InputAudio { input_audio: OutAudio<'a> },
    File { file: OutFile<'a> },
}

#[derive(Serialize)]
struct OutImage<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct OutAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
struct OutFile<'a> {
    filename: &'a str,
    file_data: String,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

/// Writes the system prompt and all messages.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Vec<Out<'a>>, ApiError> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        let parts = parts(request.system.iter(), to);
        out.push(Out {
            role: "system",
            content: parts.into_content(),
            ..Out::default()
        });
    }
    for message in &request.messages {
        match message.role {
            Role::Assistant => out.push(assistant(message, to)),
            Role::System => plain("system", message, to, &mut out)?,
            Role::User => user(message, to, &mut out)?,
        }
    }
    // Here an assistant's turn at the end is history, not a beginning.
    if let Some(last) = request.messages.last()
        && last.role == Role::Assistant
        && request.from != crate::Dialect::OpenAiChat
    {
        to.drop(last.at, Field::Role);
    }
    Ok(out)
}

/// The results of tools are messages of their own, before what people say.
fn user<'a>(
    message: &'a Message,
    to: &mut Encode<'_>,
    out: &mut Vec<Out<'a>>,
) -> Result<(), ApiError> {
    let mut images = Vec::new();
    for block in &message.blocks {
        if let Content::ToolResult {
            id,
            content,
            is_error,
        } = &block.content
        {
            note_cache(block, to);
            let content = result(id, content, *is_error, to, &mut images);
            out.push(Out {
                role: "tool",
                tool_call_id: Some(fit(id, CALL_ID)),
                content: Some(content),
                ..Out::default()
            });
        }
    }
    let results = out.len();
    plain("user", message, to, out)?;
    if images.is_empty() {
        return Ok(());
    }
    // They show what the tools said, so they come before what is asked about it.
    match out.get_mut(results) {
        Some(said) => {
            if let Some(OutContent::Parts(parts)) = &mut said.content {
                images.append(parts);
            } else if let Some(OutContent::Text(text)) = said.content.take() {
                images.push(OutPart::Text { text });
            }
            said.content = Some(OutContent::Parts(images));
        }
        None => out.push(Out {
            role: "user",
            content: Some(OutContent::Parts(images)),
            ..Out::default()
        }),
    }
    Ok(())
}

/// Everything but the results of tools.
fn plain<'a>(
    role: &'static str,
    message: &'a Message,
    to: &mut Encode<'_>,
    out: &mut Vec<Out<'a>>,
) -> Result<(), ApiError> {
    let is_said = |block: &&Block| !matches!(block.content, Content::ToolResult { .. });
    let mut said = message.blocks.iter().filter(is_said).peekable();
    let has_results = said.clone().count() < message.blocks.len();
    if said.peek().is_none() && has_results {
        return Ok(());
    }
    let parts = parts(said, to);
    if parts.0.is_empty() && !message.blocks.is_empty() && !has_results {
        let path = to.path(message.at, Field::Whole);
        return Err(invalid(
            &path,
            "has nothing that the upstream of this model can carry",
        ));
    }
    if parts.0.is_empty() && has_results {
        return Ok(());
    }
    out.push(Out {
        role,
        name: message.name.as_deref(),
        content: parts
            .into_content()
            .or(Some(OutContent::Text(Cow::Borrowed("")))),
        ..Out::default()
    });
    Ok(())
}

fn assistant<'a>(message: &'a Message, to: &mut Encode<'_>) -> Out<'a> {
    let mut out = Out {
        role: "assistant",
        name: message.name.as_deref(),
        ..Out::default()
    };
    let mut said: Vec<&'a Block> = Vec::new();
    let mut thoughts: Vec<&'a str> = Vec::new();
    for block in &message.blocks {
        match &block.content {
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => {
                note_cache(block, to);
                out.tool_calls.push(OutCall {
                    id: fit(id, CALL_ID),
                    r#type: "function",
                    function: OutFunction {
                        name: to.tools.fit(name, TOOL_NAME),
                        arguments,
                    },
                });
            }
            Content::Refusal(text) => out.refusal = Some(text),
            Content::Thinking(thinking) => match replayed(thinking, to) {
                Some(text) => thoughts.push(text),
                None => to.strip(block.at, Field::Thinking),
            },
            Content::Media(_)
            | Content::Other(_)
            | Content::Text(_)
            | Content::ToolResult { .. } => said.push(block),
        }
    }
    out.content = parts(said.into_iter(), to).into_content();
    let thoughts = join(&thoughts);
    match to.capabilities.reasoning_field {
        ReasoningField::None => {}
        ReasoningField::Reasoning => out.reasoning = thoughts,
        ReasoningField::ReasoningContent => out.reasoning_content = thoughts,
    }
    if out.content.is_none() && out.tool_calls.is_empty() && out.refusal.is_none() {
        out.content = Some(OutContent::Text(Cow::Borrowed("")));
    }
    out
}

/// Thoughts that this model may be given back: its own, or those of a client that
/// has no signatures.
fn replayed<'a>(thinking: &'a Thinking, to: &Encode<'_>) -> Option<&'a str> {
    if to.capabilities.reasoning_field == ReasoningField::None {
        return None;
    }
    match thinking {
        Thinking::Redacted { .. } => None,
        Thinking::Text { text, .. } if text.is_empty() => None,
        Thinking::Text { text, signature } => match signature {
            None => Some(text),
            Some(signature) => custody::is_marked_by(signature, to.model).then_some(text),
        },
    }
}

fn join<'a>(texts: &[&'a str]) -> Option<Cow<'a, str>> {
    match texts {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        many => Some(Cow::Owned(many.concat())),
    }
}

struct Parts<'a>(Vec<OutPart<'a>>);

impl<'a> Parts<'a> {
    /// One text alone is a string, which every server takes.
    fn into_content(mut self) -> Option<OutContent<'a>> {
        match (self.0.pop(), self.0.is_empty()) {
            (None, _) => None,
            (Some(OutPart::Text { text }), true) => Some(OutContent::Text(text)),
            (Some(last), _) => {
                self.0.push(last);
                Some(OutContent::Parts(self.0))
            }
        }
    }
}

fn parts<'a>(blocks: impl Iterator<Item = &'a Block>, to: &mut Encode<'_>) -> Parts<'a> {
    let mut parts = Vec::new();
    for block in blocks {
        note_cache(block, to);
        match &block.content {
            Content::Text(text) | Content::Refusal(text) => parts.push(OutPart::Text {
                text: Cow::Borrowed(text),
            }),
            Content::Media(media) => push_media(media, block.at, to, &mut parts),
            Content::Thinking(_) => to.strip(block.at, Field::Thinking),
            Content::Other(_) | Content::ToolCall { .. } | Content::ToolResult { .. } => {
                to.drop(block.at, Field::Whole);
            }
        }
    }
    Parts(parts)
}

fn note_cache(block: &Block, to: &mut Encode<'_>) {
    if block.cache.is_some() {
        to.drop(block.at, Field::CacheControl);
    }
}

fn push_media<'a>(media: &'a Media, at: At, to: &mut Encode<'_>, parts: &mut Vec<OutPart<'a>>) {
    for (lost, field) in [
        (media.citations, Field::Citations),
        (media.context.is_some(), Field::DocumentContext),
    ] {
        if lost {
            to.drop(at, field);
        }
    }
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64 { media_type, data }) => {
            parts.push(image(Cow::Owned(media::data_url(media_type, data)), media));
        }
        (MediaKind::Image, Source::Url(url)) => parts.push(image(Cow::Borrowed(url), media)),
        (MediaKind::Audio, Source::Base64 { media_type, data }) => {
            parts.push(OutPart::InputAudio {
                input_audio: OutAudio {
                    data,
                    format: media_type.strip_prefix("audio/").unwrap_or(media_type),
                },
            });
        }
        (MediaKind::Document, Source::Base64 { media_type, data }) => {
            parts.push(OutPart::File {
                file: OutFile {
                    filename: media.title.as_deref().unwrap_or("document.pdf"),
                    file_data: media::data_url(media_type, data),
                },
            });
        }
        (MediaKind::Document, Source::Text(text)) => {
            if media.title.is_some() {
                to.drop(at, Field::DocumentTitle);
            }
            parts.push(OutPart::Text {
                text: Cow::Borrowed(text),
            });
        }
        (MediaKind::Document, Source::Blocks(blocks)) => {
            if media.title.is_some() {
                to.drop(at, Field::DocumentTitle);
            }
            parts.extend(self::parts(blocks.iter(), to).0);
        }
        (
            MediaKind::Audio | MediaKind::Document | MediaKind::Image | MediaKind::Video,
            Source::Base64 { .. }
            | Source::Blocks(_)
            | Source::File(_)
            | Source::Text(_)
            | Source::Url(_),
        ) => to.drop(at, Field::Whole),
    }
}

fn image<'a>(url: Cow<'a, str>, media: &'a Media) -> OutPart<'a> {
    OutPart::ImageUrl {
        image_url: OutImage {
            url,
            detail: media.detail.as_deref(),
        },
    }
}

/// What a tool said. Here it is text only: images go into the message behind it,
/// and a failure is said in words, since no field says it.
fn result<'a>(
    id: &str,
    content: &'a [Block],
    is_error: bool,
    to: &mut Encode<'_>,
    images: &mut Vec<OutPart<'a>>,
) -> OutContent<'a> {
    let (mut texts, mut others): (Vec<_>, Vec<_>) = parts(content.iter(), to)
        .0
        .into_iter()
        .partition(|part| matches!(part, OutPart::Text { .. }));
    if is_error {
        let text = Cow::Borrowed("The tool failed:");
        texts.insert(0, OutPart::Text { text });
    }
    if !others.is_empty() {
        let text = Cow::Owned(format!(
            "From the result of tool call {}:",
            fit(id, CALL_ID)
        ));
        images.push(OutPart::Text { text });
        images.append(&mut others);
        if texts.is_empty() {
            let text = Cow::Borrowed("See the next message.");
            texts.push(OutPart::Text { text });
        }
    }
    Parts(texts)
        .into_content()
        .unwrap_or(OutContent::Text(Cow::Borrowed("")))
}
