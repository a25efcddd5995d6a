//! The input of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;

use super::write::TOOL_NAME;
use crate::capabilities::ReasoningField;
use crate::codec::{Encode, Limits, fit};
use crate::ir::{
    At, Block, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Source, Thinking,
};
use crate::object::invalid;
use crate::responses::reasoning;
use crate::{ApiError, custody, media};

/// `call_id`: OpenAI takes at most 64 characters.
const CALL_ID: Limits = Limits { bytes: 64 };

/// An item.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Out<'a> {
    FunctionCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: OutContent<'a>,
    },
    Message(OutMessage<'a>),
    Reasoning {
        #[serde(skip_serializing_if = "str::is_empty")]
        id: Cow<'a, str>,
        summary: [(); 0],
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<[OutPart<'a>; 1]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
}

#[derive(Serialize)]
pub(super) struct OutMessage<'a> {
    role: &'static str,
    content: OutContent<'a>,
    /// Only of what the model said in parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum OutContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<OutPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutPart<'a> {
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
    },
    InputImage {
        image_url: Cow<'a, str>,
        detail: &'a str,
    },
    InputText {
        text: Cow<'a, str>,
    },
    ReasoningText {
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
}

/// Writes the system prompt and all messages.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Vec<Out<'a>>, ApiError> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        let parts = parts(request.system.iter(), to);
        push("system", parts, &mut out);
    }
    for message in &request.messages {
        if message.name.is_some() {
            to.drop(message.at, Field::MessageName);
        }
        match message.role {
            Role::Assistant => assistant(message, to, &mut out),
            Role::System => said("system", message, to, &mut out)?,
            Role::User => said("user", message, to, &mut out)?,
        }
    }
    // Here an assistant's turn at the end is history, not a beginning.
    if let Some(last) = request.messages.last()
        && last.role == Role::Assistant
        && request.from != crate::Dialect::OpenAiResponses
    {
        to.drop(last.at, Field::Role);
    }
    Ok(out)
}

fn push<'a>(role: &'static str, parts: Vec<OutPart<'a>>, out: &mut Vec<Out<'a>>) {
    if !parts.is_empty() {
        out.push(Out::Message(OutMessage {
            role,
            content: content(parts),
            id: None,
            status: None,
        }));
    }
}

/// One text alone is a string, which every server takes.
fn content(mut parts: Vec<OutPart<'_>>) -> OutContent<'_> {
    match (parts.pop(), parts.is_empty()) {
        (Some(OutPart::InputText { text }), true) => OutContent::Text(text),
        (Some(last), _) => {
            parts.push(last);
            OutContent::Parts(parts)
        }
        (None, _) => OutContent::Text(Cow::Borrowed("")),
    }
}

/// The results of tools are items of their own, before what people say.
fn said<'a>(
    role: &'static str,
    message: &'a Message,
    to: &mut Encode<'_>,
    out: &mut Vec<Out<'a>>,
) -> Result<(), ApiError> {
    let before = out.len();
    let mut others = Vec::new();
    for block in &message.blocks {
        let Content::ToolResult {
            id,
            content: said,
            is_error,
        } = &block.content
        else {
            others.push(block);
            continue;
        };
        note_cache(block, to);
        let mut parts = parts(said.iter(), to);
        if *is_error {
            let text = Cow::Borrowed("The tool failed:");
            parts.insert(0, OutPart::InputText { text });
        }
        out.push(Out::FunctionCallOutput {
            call_id: fit(id, CALL_ID),
            output: content(parts),
        });
    }
    push(role, parts(others.into_iter(), to), out);
    if out.len() == before && !message.blocks.is_empty() {
        let path = to.path(message.at, Field::Whole);
        return Err(invalid(
            &path,
            "has nothing that the upstream of this model can carry",
        ));
    }
    Ok(())
}

/// What the model said, in the order in which it did.
fn assistant<'a>(message: &'a Message, to: &mut Encode<'_>, out: &mut Vec<Out<'a>>) {
    let mut texts: Vec<&'a str> = Vec::new();
    for block in &message.blocks {
        note_cache(block, to);
        if let Content::Text(text) = &block.content {
            texts.push(text);
            continue;
        }
        flush(&mut texts, out);
        match &block.content {
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => out.push(Out::FunctionCall {
                call_id: fit(id, CALL_ID),
                name: to.tools.fit(name, TOOL_NAME),
                arguments,
            }),
            Content::Refusal(refusal) => out.push(Out::Message(OutMessage {
                role: "assistant",
                content: OutContent::Parts(vec![OutPart::Refusal { refusal }]),
                id: Some(format!("msg_{}", out.len())),
                status: Some("completed"),
            })),
            Content::Thinking(thinking) => match replayed(thinking, out.len(), to) {
                Some(item) => out.push(item),
                None => to.strip(block.at, Field::Thinking),
            },
            Content::Media(_)
            | Content::Other(_)
            | Content::Text(_)
            | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
        }
    }
    flush(&mut texts, out);
}

fn flush<'a>(texts: &mut Vec<&'a str>, out: &mut Vec<Out<'a>>) {
    let text = match texts.as_slice() {
        [] => return,
        [one] => Cow::Borrowed(*one),
        many => Cow::Owned(many.concat()),
    };
    texts.clear();
    out.push(Out::Message(OutMessage {
        role: "assistant",
        content: OutContent::Text(text),
        id: None,
        status: None,
    }));
}

/// Thoughts that this model may be given back: what OpenAI encrypted; where a server
/// takes thoughts in the open, its own, or those of a client without signatures.
fn replayed<'a>(thinking: &'a Thinking, nth: usize, to: &Encode<'_>) -> Option<Out<'a>> {
    let Thinking::Text { text, signature } = thinking else {
        return None;
    };
    if let Some(signature) = signature
        && let Some((id, encrypted)) = reasoning::of_openai(signature)
    {
        let same = signature.model.as_deref().is_none_or(|by| by == to.model);
        return same.then_some(Out::Reasoning {
            id: Cow::Borrowed(id),
            summary: [],
            content: None,
            encrypted_content: Some(encrypted),
        });
    }
    let theirs = signature
        .as_ref()
        .is_none_or(|it| custody::is_marked_by(it, to.model));
    let open = to.capabilities.reasoning_field != ReasoningField::None;
    (open && theirs && !text.is_empty()).then(|| Out::Reasoning {
        id: Cow::Owned(format!("rs_{nth}")),
        summary: [],
        content: Some([OutPart::ReasoningText { text }]),
        encrypted_content: None,
    })
}

fn parts<'a>(blocks: impl Iterator<Item = &'a Block>, to: &mut Encode<'_>) -> Vec<OutPart<'a>> {
    let mut parts = Vec::new();
    for block in blocks {
        note_cache(block, to);
        match &block.content {
            Content::Text(text) | Content::Refusal(text) => parts.push(OutPart::InputText {
                text: Cow::Borrowed(text),
            }),
            Content::Media(media) => push_media(media, block.at, to, &mut parts),
            Content::Thinking(_) => to.strip(block.at, Field::Thinking),
            Content::Other(_) | Content::ToolCall { .. } | Content::ToolResult { .. } => {
                to.drop(block.at, Field::Whole);
            }
        }
    }
    parts
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
    let detail = media.detail.as_deref().unwrap_or("auto");
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64 { media_type, data }) => {
            parts.push(OutPart::InputImage {
                image_url: Cow::Owned(media::data_url(media_type, data)),
                detail,
            })
        }
        (MediaKind::Image, Source::Url(url)) => parts.push(OutPart::InputImage {
            image_url: Cow::Borrowed(url),
            detail,
        }),
        (MediaKind::Document, Source::Base64 { media_type, data }) => {
            parts.push(OutPart::InputFile {
                filename: Some(media.title.as_deref().unwrap_or("document.pdf")),
                file_data: Some(media::data_url(media_type, data)),
                file_url: None,
            });
        }
        (MediaKind::Document, Source::Url(url)) => parts.push(OutPart::InputFile {
            filename: media.title.as_deref(),
            file_data: None,
            file_url: Some(url),
        }),
        (MediaKind::Document, Source::Text(text)) => {
            note_title(media, at, to);
            parts.push(OutPart::InputText {
                text: Cow::Borrowed(text),
            });
        }
        (MediaKind::Document, Source::Blocks(blocks)) => {
            note_title(media, at, to);
            parts.extend(self::parts(blocks.iter(), to));
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

fn note_title(media: &Media, at: At, to: &mut Encode<'_>) {
    if media.title.is_some() {
        to.drop(at, Field::DocumentTitle);
    }
}
