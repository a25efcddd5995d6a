//! The system prompt and the messages of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::response::is_blob;
use super::documents::{self, Names, OutDocument, OutMedia};
use super::tools::TOOL_NAME;
use crate::anthropic::GREETING;
use crate::capabilities::CachePoints;
use crate::codec::{Encode, Limits, fit};
use crate::ir::{
    At, Block, CacheControl, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Thinking,
};
use crate::object::invalid;
use crate::{ApiError, custody, json};

/// Ids of tool calls: `[a-zA-Z0-9_.:-]`, at most 64.
const CALL_ID: Limits = Limits { bytes: 64 };

#[derive(Serialize)]
pub(super) struct Out<'a> {
    role: &'static str,
    content: Vec<OutBlock<'a>>,
}

/// A block: of a message, of the system prompt, or of the result of a tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OutBlock<'a> {
    Audio(OutMedia<'a>),
    CachePoint(OutCache<'a>),
    Document(OutDocument<'a>),
    Image(OutMedia<'a>),
    ReasoningContent(OutReasoning<'a>),
    Text(&'a str),
    ToolResult(OutResult<'a>),
    ToolUse(OutToolUse<'a>),
    Video(OutMedia<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OutReasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutResult<'a> {
    tool_use_id: Cow<'a, str>,
    content: Vec<OutBlock<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutToolUse<'a> {
    tool_use_id: Cow<'a, str>,
    name: Cow<'a, str>,
    input: Box<RawValue>,
}

/// `cachePoint`.
#[derive(Serialize)]
pub(super) struct OutCache<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> OutCache<'a> {
    pub(super) fn of(cache: &'a CacheControl, at: At, to: &mut Encode<'_>) -> Self {
        let ttl = cache.ttl.as_deref();
        let known = ttl.filter(|ttl| matches!(*ttl, "5m" | "1h"));
        if ttl.is_some() && known.is_none() {
            to.drop(at, Field::CacheControl);
        }
        Self {
            r#type: "default",
            ttl: known,
        }
    }
}

/// Writes the conversation.
#[derive(Default)]
pub(super) struct Writer {
    names: Names,
}

impl Writer {
    /// Writes the system prompt: what stood at the beginning, and what stood later.
    pub(super) fn system<'a>(
        &mut self,
        request: &'a ChatRequest,
        to: &mut Encode<'_>,
    ) -> Vec<OutBlock<'a>> {
        let mut out = Vec::new();
        for block in &request.system {
            self.instruct(block, to, &mut out);
        }
        for (index, message) in request.messages.iter().enumerate() {
            if message.role == Role::System {
                if index > 0 {
                    to.drop(message.at, Field::Role);
                }
                note_name(message, to);
                for block in &message.blocks {
                    self.instruct(block, to, &mut out);
                }
            }
        }
        out
    }

    /// Instructions are text.
    fn instruct<'a>(&mut self, block: &'a Block, to: &mut Encode<'_>, out: &mut Vec<OutBlock<'a>>) {
        match &block.content {
            Content::Text(_) | Content::Refusal(_) => self.push(block, to, out),
            Content::Media(_)
            | Content::Other(_)
            | Content::Thinking(_)
            | Content::ToolCall { .. }
            | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
        }
    }

    /// Writes the messages; those of one role behind each other become one turn.
    pub(super) fn messages<'a>(
        &mut self,
        request: &'a ChatRequest,
        to: &mut Encode<'_>,
    ) -> Result<Vec<Out<'a>>, ApiError> {
        let mut out: Vec<Out<'a>> = Vec::with_capacity(request.messages.len());
        for message in &request.messages {
            let role = match message.role {
                Role::Assistant => "assistant",
                Role::User => "user",
                Role::System => continue,
            };
            note_name(message, to);
            let mut content = Vec::with_capacity(message.blocks.len());
            for block in &message.blocks {
                self.push(block, to, &mut content);
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
        out.iter_mut().for_each(|turn| accompany(&mut turn.content));
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
            if let Some(OutBlock::Text(text)) = last.content.last_mut() {
                *text = text.trim_end();
            }
        }
        // "A conversation must start with a user message."
        if out.first().is_some_and(|turn| turn.role == "assistant") {
            let content = vec![OutBlock::Text(GREETING)];
            out.insert(
                0,
                Out {
                    role: "user",
                    content,
                },
            );
        }
        Ok(out)
    }

    fn push<'a>(&mut self, block: &'a Block, to: &mut Encode<'_>, out: &mut Vec<OutBlock<'a>>) {
        let Some(written) = self.block(block, to) else {
            return;
        };
        out.push(written);
        let Some(cache) = &block.cache else { return };
        let taken = to.capabilities.cache_points != CachePoints::Nowhere;
        match cache_place(out).filter(|_| taken && block.at.nested.is_none()) {
            None => to.drop(block.at, Field::CacheControl),
            Some(place) => {
                let point = OutBlock::CachePoint(OutCache::of(cache, block.at, to));
                out.insert(place, point);
            }
        }
    }

    fn block<'a>(&mut self, block: &'a Block, to: &mut Encode<'_>) -> Option<OutBlock<'a>> {
        let at = block.at;
        Some(match &block.content {
            // Blank text is a 400 here.
            Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => return None,
            Content::Text(text) | Content::Refusal(text) => OutBlock::Text(text),
            Content::Media(media) => return self.media(media, at, to),
            Content::Thinking(thinking) => match thought(thinking, to) {
                Some(thought) => OutBlock::ReasoningContent(thought),
                None => {
                    to.strip(at, Field::Thinking);
                    return None;
                }
            },
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => OutBlock::ToolUse(OutToolUse {
                tool_use_id: fit(id, CALL_ID),
                name: to.tools.fit(name, TOOL_NAME),
                input: json::object_of(arguments).unwrap_or_else(|| {
                    to.strip(at, Field::Arguments);
                    json::unreadable_arguments(arguments)
                }),
            }),
            Content::ToolResult {
                id,
                content,
                is_error,
            } => {
                let mut inner = Vec::with_capacity(content.len());
                for block in content {
                    self.push(block, to, &mut inner);
                }
                OutBlock::ToolResult(OutResult {
                    tool_use_id: fit(id, CALL_ID),
                    content: inner,
                    status: is_error.then_some("error"),
                })
            }
            Content::Other(_) => {
                to.drop(at, Field::Whole);
                return None;
            }
        })
    }

    fn media<'a>(&mut self, media: &'a Media, at: At, to: &mut Encode<'_>) -> Option<OutBlock<'a>> {
        let in_result = at.nested.is_some();
        Some(match media.kind {
            // No tool can say it.
            MediaKind::Audio if in_result => {
                to.drop(at, Field::Whole);
                return None;
            }
            MediaKind::Audio => OutBlock::Audio(documents::media(media, at, to)?),
            MediaKind::Document => {
                OutBlock::Document(documents::document(media, at, &mut self.names, to)?)
            }
            MediaKind::Image => OutBlock::Image(documents::media(media, at, to)?),
            MediaKind::Video => OutBlock::Video(documents::media(media, at, to)?),
        })
    }
}

/// Where a breakpoint behind the last block goes: before documents that none may
/// follow. None where it may not stand: behind a thought, or with nothing before it.
fn cache_place(blocks: &[OutBlock<'_>]) -> Option<usize> {
    let forbids = |block: &OutBlock<'_>| match block {
        OutBlock::Document(document) => !document.is_pdf(),
        OutBlock::Audio(_)
        | OutBlock::CachePoint(_)
        | OutBlock::Image(_)
        | OutBlock::ReasoningContent(_)
        | OutBlock::Text(_)
        | OutBlock::ToolResult(_)
        | OutBlock::ToolUse(_)
        | OutBlock::Video(_) => false,
    };
    let before = blocks.iter().rposition(|block| !forbids(block))?;
    let stands = !matches!(
        blocks.get(before),
        Some(OutBlock::CachePoint(_) | OutBlock::ReasoningContent(_))
    );
    stands.then_some(before + 1)
}

/// "A text block must be included when using documents": other wires take them alone.
fn accompany(blocks: &mut Vec<OutBlock<'_>>) {
    let document = |block: &OutBlock<'_>| matches!(block, OutBlock::Document(_));
    let is_text = |block: &OutBlock<'_>| matches!(block, OutBlock::Text(_));
    if let Some(place) = blocks.iter().position(document)
        && !blocks.iter().any(is_text)
    {
        blocks.insert(place, OutBlock::Text("The document:"));
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

/// Thoughts go back only with the proof that this model gave.
fn thought<'a>(thinking: &'a Thinking, to: &Encode<'_>) -> Option<OutReasoning<'a>> {
    if !custody::may_be_given_back(thinking, to.model) {
        return None;
    }
    match thinking {
        Thinking::Redacted { data, .. } => {
            is_blob(data).then_some(OutReasoning::RedactedContent(data))
        }
        Thinking::Text { text, signature } => Some(OutReasoning::ReasoningText {
            text,
            signature: &signature.as_ref()?.value,
        }),
    }
}
