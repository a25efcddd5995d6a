//! The system prompt and the contents of a request for a provider.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::signature::SKIP;
use super::tools::TOOL_NAME;
use crate::codec::{Encode, Limits, fit};
use crate::ir::{
    At, Block, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Signature, Source,
};
use crate::object::invalid;
use crate::{ApiError, Dialect, json};

/// Ids of calls, which only have to be the same twice.
const CALL_ID: Limits = Limits { bytes: 128 };

#[derive(Serialize)]
pub(super) struct Out<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<OutPart<'a>>,
}

/// A part: one of the members, and perhaps the signature of a call.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<OutBlob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<OutFile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<OutCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<OutResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutBlob<'a> {
    mime_type: &'a str,
    data: &'a str,
    /// Vertex AI has it, the Gemini API has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutFile<'a> {
    mime_type: &'a str,
    file_uri: &'a str,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    args: Box<RawValue>,
}

#[derive(Serialize)]
struct OutResponse<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    response: Said<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<OutPart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said<'a> {
    Error(Cow<'a, str>),
    Output(Cow<'a, str>),
    #[serde(untagged)]
    Whole(Box<RawValue>),
}

impl<'a> From<&'a str> for OutPart<'a> {
    fn from(text: &'a str) -> Self {
        Self {
            text: Some(Cow::Borrowed(text)),
            ..Self::default()
        }
    }
}

/// Writes a conversation.
#[derive(Default)]
pub(super) struct Writer<'a> {
    /// The tool of each call: results name it.
    called: HashMap<&'a str, &'a str>,
    contents: Vec<Turn<'a>>,
}

/// A content, while more may join it. The results of calls stand alone: Gemini counts
/// them against the calls.
struct Turn<'a> {
    role: &'static str,
    results: bool,
    parts: Vec<OutPart<'a>>,
}

/// Writes the system prompt: what stood at the beginning, and what stood later.
pub(super) fn system<'a>(request: &'a ChatRequest, to: &mut Encode<'_>) -> Option<Out<'a>> {
    let mut parts = Vec::new();
    let later = request.messages.iter().enumerate();
    let later = later.filter(|(_, message)| message.role == Role::System);
    for block in &request.system {
        instruct(block, to, &mut parts);
    }
    for (index, message) in later {
        if index > 0 {
            to.drop(message.at, Field::Role);
        }
        note_name(message, to);
        for block in &message.blocks {
            instruct(block, to, &mut parts);
        }
    }
    (!parts.is_empty()).then_some(Out { role: None, parts })
}

/// Instructions are text.
fn instruct<'a>(block: &'a Block, to: &mut Encode<'_>, parts: &mut Vec<OutPart<'a>>) {
    note_cache(block, to);
    match &block.content {
        Content::Text(text) | Content::Refusal(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => parts.push(OutPart::from(text.as_str())),
        Content::Media(_)
        | Content::Other(_)
        | Content::Thinking(_)
        | Content::ToolCall { .. }
        | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
    }
}

/// Writes the messages; those of one role behind each other become one content.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    to: &mut Encode<'_>,
) -> Result<Vec<Out<'a>>, ApiError> {
    let mut writer = Writer::default();
    for message in &request.messages {
        let role = match message.role {
            Role::Assistant => "model",
            Role::User => "user",
            Role::System => continue,
        };
        note_name(message, to);
        if !writer.message(message, role, to) {
            refuse_if_lost(message, to)?;
        }
    }
    if to.capabilities.signed_calls {
        writer.sign();
    }
    let contents = writer.contents.into_iter();
    let contents = contents.map(|it| Out {
        role: Some(it.role),
        parts: it.parts,
    });
    Ok(contents.collect())
}

impl<'a> Writer<'a> {
    /// False when nothing of it was written.
    fn message(&mut self, message: &'a Message, role: &'static str, to: &mut Encode<'_>) -> bool {
        let mut written = false;
        // What a tool shows besides its words, where results have no room for it.
        let mut shown = Vec::new();
        for block in &message.blocks {
            if let Content::ToolResult {
                id,
                content,
                is_error,
            } = &block.content
            {
                note_cache(block, to);
                let part = self.result(id, content, *is_error, to, &mut shown);
                self.push(role, true, part);
                written = true;
            }
        }
        for part in shown {
            self.push(role, false, part);
        }
        for block in &message.blocks {
            if let Some(part) = self.part(block, to) {
                self.push(role, false, part);
                written = true;
            }
        }
        written
    }

    fn push(&mut self, role: &'static str, results: bool, part: OutPart<'a>) {
        match self.contents.last_mut() {
            Some(last) if last.role == role && last.results == results => last.parts.push(part),
            _ => self.contents.push(Turn {
                role,
                results,
                parts: vec![part],
            }),
        }
    }

    fn part(&mut self, block: &'a Block, to: &mut Encode<'_>) -> Option<OutPart<'a>> {
        let at = block.at;
        if matches!(block.content, Content::ToolResult { .. }) {
            return None;
        }
        note_cache(block, to);
        match &block.content {
            Content::Text(text) | Content::Refusal(text) if text.is_empty() => None,
            Content::Text(text) | Content::Refusal(text) => Some(OutPart::from(text.as_str())),
            Content::Media(media) => self::media(media, at, to),
            // Gemini takes its calls' signatures back, not its thoughts.
            Content::Thinking(_) => {
                to.strip(at, Field::Thinking);
                None
            }
            Content::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                self.called.insert(id, name);
                Some(OutPart {
                    function_call: Some(OutCall {
                        id: fit(id, CALL_ID),
                        name: to.tools.fit(name, TOOL_NAME),
                        args: json::object_of(arguments).unwrap_or_else(|| {
                            to.strip(at, Field::Arguments);
                            json::unreadable_arguments(arguments)
                        }),
                    }),
                    thought_signature: signed(signature.as_ref(), at, to),
                    ..OutPart::default()
                })
            }
            Content::Other(_) | Content::ToolResult { .. } => {
                to.drop(at, Field::Whole);
                None
            }
        }
    }

    fn result(
        &self,
        id: &'a str,
        content: &'a [Block],
        is_error: bool,
        to: &mut Encode<'_>,
        shown: &mut Vec<OutPart<'a>>,
    ) -> OutPart<'a> {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for block in content {
            note_cache(block, to);
            match &block.content {
                Content::Text(text) | Content::Refusal(text) => texts.push(text.as_str()),
                Content::Media(media) => others.extend(self::media(media, block.at, to)),
                Content::Other(_)
                | Content::Thinking(_)
                | Content::ToolCall { .. }
                | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
            }
        }
        let name = self.called.get(id).copied().unwrap_or("unknown_tool");
        let mut parts = Vec::new();
        if !others.is_empty() {
            if to.capabilities.media_in_results {
                parts = others;
            } else {
                let head = format!("From the result of the call of {name}:");
                shown.push(OutPart {
                    text: Some(Cow::Owned(head)),
                    ..OutPart::default()
                });
                shown.append(&mut others);
                if texts.is_empty() {
                    texts.push("See the next message.");
                }
            }
        }
        OutPart {
            function_response: Some(OutResponse {
                id: fit(id, CALL_ID),
                name: to.tools.fit(name, TOOL_NAME),
                response: said(&texts, is_error),
                parts,
            }),
            ..OutPart::default()
        }
    }

    /// "The first function call part in each step of the current turn must include its
    /// thought signature": where it was lost, or another model called.
    fn sign(&mut self) {
        for content in &mut self.contents {
            let mut parts = content.parts.iter_mut();
            let first = parts.find(|part| part.function_call.is_some());
            if let Some(first) = first {
                first.thought_signature.get_or_insert(SKIP);
            }
        }
    }
}

/// The signature of a call, where this model gave it.
fn signed<'a>(signature: Option<&'a Signature>, at: At, to: &mut Encode<'_>) -> Option<&'a str> {
    let signature = signature?;
    if signature.model.as_deref().is_some_and(|by| by != to.model) {
        to.strip(at, Field::Signature);
        return None;
    }
    Some(&signature.value)
}

/// What a tool said: its own object where it is one.
fn said<'a>(texts: &[&'a str], is_error: bool) -> Said<'a> {
    let text = match texts {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(*one),
        many => Cow::Owned(many.join("\n")),
    };
    if is_error {
        return Said::Error(text);
    }
    if text.trim_start().starts_with('{')
        && let Some(object) = json::object_of(&text)
    {
        return Said::Whole(object);
    }
    Said::Output(text)
}

fn note_name(message: &Message, to: &mut Encode<'_>) {
    if message.name.is_some() {
        to.drop(message.at, Field::MessageName);
    }
}

fn note_cache(block: &Block, to: &mut Encode<'_>) {
    if block.cache.is_some() {
        to.drop(block.at, Field::CacheControl);
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

fn media<'a>(media: &'a Media, at: At, to: &mut Encode<'_>) -> Option<OutPart<'a>> {
    let is_named = matches!(media.source, Source::Base64 { .. });
    let close = media.detail.as_deref().is_some_and(|it| it != "auto");
    for (lost, field) in [
        (close, Field::ImageDetail),
        (media.citations, Field::Citations),
        (media.context.is_some(), Field::DocumentContext),
        (media.title.is_some() && !is_named, Field::DocumentTitle),
    ] {
        if lost {
            to.drop(at, field);
        }
    }
    match &media.source {
        Source::Base64 { media_type, data } => Some(OutPart {
            inline_data: Some(OutBlob {
                mime_type: media_type,
                data,
                display_name: media.title.as_deref(),
            }),
            ..OutPart::default()
        }),
        Source::Text(text) => Some(OutPart::from(text.as_str())),
        Source::Url(url) => Some(OutPart {
            file_data: Some(OutFile {
                mime_type: guessed(url, media.kind),
                file_uri: url,
            }),
            ..OutPart::default()
        }),
        Source::Blocks(blocks) => {
            let texts = blocks.iter().filter_map(|block| {
                if let Content::Text(text) = &block.content {
                    return Some(text.as_str());
                }
                to.drop(block.at, Field::Whole);
                None
            });
            let texts: Vec<&str> = texts.collect();
            Some(OutPart {
                text: Some(Cow::Owned(texts.join("\n"))),
                ..OutPart::default()
            })
        }
        Source::File(uri) if to.is_from(Dialect::Gemini) => Some(OutPart {
            file_data: Some(OutFile {
                mime_type: guessed(uri, media.kind),
                file_uri: uri,
            }),
            ..OutPart::default()
        }),
        Source::File(_) => {
            to.drop(at, Field::Whole);
            None
        }
    }
}

/// The wire insists on a type, which a URL of other dialects does not come with.
fn guessed(url: &str, kind: MediaKind) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let extension = path.rsplit('.').next().unwrap_or_default();
    match (extension.to_ascii_lowercase().as_str(), kind) {
        ("png", _) => "image/png",
        ("webp", _) => "image/webp",
        ("gif", _) => "image/gif",
        ("heic", _) => "image/heic",
        ("pdf", _) => "application/pdf",
        ("txt" | "md", _) => "text/plain",
        ("html" | "htm", _) => "text/html",
        ("csv", _) => "text/csv",
        ("mp3", _) => "audio/mpeg",
        ("wav", _) => "audio/wav",
        ("mp4", _) => "video/mp4",
        ("webm", _) => "video/webm",
        (_, MediaKind::Audio) => "audio/mpeg",
        (_, MediaKind::Document) => "application/pdf",
        (_, MediaKind::Image) => "image/jpeg",
        (_, MediaKind::Video) => "video/mp4",
    }
}
