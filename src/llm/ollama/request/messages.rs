//! The messages of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::capabilities::ReasoningField;
use crate::codec::Encode;
use crate::ir::{
    At, Block, ChatRequest, Content, Field, Media, MediaKind, Message, Role, Source, Thinking,
};
use crate::object::invalid;
use crate::{ApiError, custody, json};

/// A message.
#[derive(Default, Serialize)]
pub(super) struct Out<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OutCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: &'a str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    index: usize,
    name: &'a str,
    arguments: Box<RawValue>,
}

/// Writes the conversation.
#[derive(Default)]
pub(super) struct Writer<'a> {
    /// The tools of the calls so far: results name the tool.
    calls: Vec<(&'a str, &'a str)>,
    out: Vec<Out<'a>>,
}

/// What a message says, as this wire has it: one text, and images beside it.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<&'a str>,
    images: Vec<&'a str>,
}

impl<'a> Writer<'a> {
    pub(super) fn write(
        mut self,
        request: &'a ChatRequest,
        to: &mut Encode<'_>,
    ) -> Result<Vec<Out<'a>>, ApiError> {
        if !request.system.is_empty() {
            let said = Said::of(request.system.iter(), to);
            self.out.push(said.into_message("system"));
        }
        for message in &request.messages {
            if message.name.is_some() {
                to.drop(message.at, Field::MessageName);
            }
            match message.role {
                Role::Assistant => self.assistant(message, to),
                Role::System => self.plain("system", message, to)?,
                Role::User => {
                    self.results(message, to);
                    self.plain("user", message, to)?;
                }
            }
        }
        Ok(self.out)
    }

    /// The results of tools are messages of their own, before what people say.
    fn results(&mut self, message: &'a Message, to: &mut Encode<'_>) {
        for block in &message.blocks {
            let Content::ToolResult {
                id,
                content,
                is_error,
            } = &block.content
            else {
                continue;
            };
            note_cache(block, to);
            let mut said = Said::of(content.iter(), to);
            if *is_error {
                // No field says it.
                said.texts.insert(0, "The tool failed:");
            }
            let known = self.calls.iter().rfind(|(known, _)| known == id);
            self.out.push(Out {
                tool_name: known.map(|(_, name)| *name),
                tool_call_id: Some(id),
                ..said.into_message("tool")
            });
        }
    }

    /// Everything but the results of tools.
    fn plain(
        &mut self,
        role: &'static str,
        message: &'a Message,
        to: &mut Encode<'_>,
    ) -> Result<(), ApiError> {
        let is_said = |block: &&Block| !matches!(block.content, Content::ToolResult { .. });
        let blocks = || message.blocks.iter().filter(is_said);
        if blocks().count() == 0 && !message.blocks.is_empty() {
            return Ok(());
        }
        let said = Said::of(blocks(), to);
        let is_lost = said.texts.is_empty() && said.images.is_empty();
        if is_lost && blocks().count() < message.blocks.len() {
            return Ok(());
        }
        if is_lost && !message.blocks.is_empty() {
            let path = to.path(message.at, Field::Whole);
            let what = "has nothing that the upstream of this model can carry";
            return Err(invalid(&path, what));
        }
        self.out.push(said.into_message(role));
        Ok(())
    }

    fn assistant(&mut self, message: &'a Message, to: &mut Encode<'_>) {
        let mut said = Said::default();
        let mut thoughts = Vec::new();
        let mut tool_calls = Vec::new();
        for block in &message.blocks {
            match &block.content {
                Content::ToolCall {
                    id,
                    name,
                    arguments,
                    ..
                } => {
                    note_cache(block, to);
                    self.calls.push((id, name));
                    tool_calls.push(OutCall {
                        id,
                        function: OutFunction {
                            index: tool_calls.len(),
                            name,
                            arguments: json::object_of(arguments)
                                .unwrap_or_else(|| json::unreadable_arguments(arguments)),
                        },
                    });
                }
                Content::Thinking(thinking) => match replayed(thinking, to) {
                    Some(text) => thoughts.push(text),
                    None => to.strip(block.at, Field::Thinking),
                },
                Content::Media(_)
                | Content::Other(_)
                | Content::Refusal(_)
                | Content::Text(_)
                | Content::ToolResult { .. } => said.push(block, to),
            }
        }
        self.out.push(Out {
            // Pieces of one text.
            content: join(&said.texts, ""),
            thinking: (!thoughts.is_empty()).then(|| join(&thoughts, "")),
            tool_calls,
            ..said.into_message("assistant")
        });
    }
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

fn join<'a>(texts: &[&'a str], glue: &str) -> Cow<'a, str> {
    match texts {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.join(glue)),
    }
}

fn note_cache(block: &Block, to: &mut Encode<'_>) {
    if block.cache.is_some() {
        to.drop(block.at, Field::CacheControl);
    }
}

fn note_title(media: &Media, at: At, to: &mut Encode<'_>) {
    if media.title.is_some() {
        to.drop(at, Field::DocumentTitle);
    }
}

impl<'a> Said<'a> {
    fn of(blocks: impl Iterator<Item = &'a Block>, to: &mut Encode<'_>) -> Self {
        let mut said = Self::default();
        for block in blocks {
            said.push(block, to);
        }
        said
    }

    fn push(&mut self, block: &'a Block, to: &mut Encode<'_>) {
        note_cache(block, to);
        match &block.content {
            Content::Text(text) | Content::Refusal(text) => self.texts.push(text),
            Content::Media(media) => self.media(media, block.at, to),
            Content::Thinking(_) => to.strip(block.at, Field::Thinking),
            Content::Other(_) | Content::ToolCall { .. } | Content::ToolResult { .. } => {
                to.drop(block.at, Field::Whole);
            }
        }
    }

    fn media(&mut self, media: &'a Media, at: At, to: &mut Encode<'_>) {
        for (lost, field) in [
            (media.citations, Field::Citations),
            (media.context.is_some(), Field::DocumentContext),
        ] {
            if lost {
                to.drop(at, field);
            }
        }
        match (media.kind, &media.source) {
            (MediaKind::Image, Source::Base64 { data, .. }) => {
                if media.detail.as_deref().is_some_and(|it| it != "auto") {
                    to.drop(at, Field::ImageDetail);
                }
                self.images.push(data);
            }
            (MediaKind::Document, Source::Text(text)) => {
                note_title(media, at, to);
                self.texts.push(text);
            }
            (MediaKind::Document, Source::Blocks(blocks)) => {
                note_title(media, at, to);
                for block in blocks {
                    self.push(block, to);
                }
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

    fn into_message(self, role: &'static str) -> Out<'a> {
        Out {
            role,
            content: join(&self.texts, "\n\n"),
            images: self.images,
            ..Out::default()
        }
    }
}
