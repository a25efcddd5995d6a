//! A client's content blocks → IR.

use serde_json::value::RawValue;

use super::super::format::media_type;
use super::super::names::place;
use super::super::response::of_blob;
use super::wire::{Cache, Cited, Reasoning, ToolResult, ToolUse, WireBlock, WireMedia, WireSource};
use crate::ir::{At, Block, CacheControl, Content, Media, MediaKind, Source, Thinking, Unknown};
use crate::object::{Rest, Text, invalid, missing};
use crate::{ApiError, custody};

/// Notes the members that nobody knows.
pub(super) fn note(unknown: &mut Vec<Unknown>, at: At, prefix: &str, rest: &Rest<'_>) {
    unknown.extend(rest.iter().map(|(name, _)| Unknown {
        at,
        name: format!("{prefix}{name}"),
    }));
}

/// Notes one.
pub(super) fn note_name(unknown: &mut Vec<Unknown>, at: At, name: &str) {
    unknown.push(Unknown {
        at,
        name: name.to_owned(),
    });
}

/// A breakpoint of the cache.
pub(super) fn cache(cache: Cache<'_>) -> CacheControl {
    CacheControl {
        ttl: cache.ttl.map(Text::into_string),
    }
}

/// Reads a list of blocks. A breakpoint of the cache belongs to the block before it.
pub(super) fn all(
    blocks: Vec<WireBlock<'_>>,
    place_of: impl Fn(usize) -> At,
    unknown: &mut Vec<Unknown>,
) -> Result<Vec<Block>, ApiError> {
    let mut out: Vec<Block> = Vec::with_capacity(blocks.len());
    for (index, mut wire) in blocks.into_iter().enumerate() {
        let at = place_of(index);
        note(unknown, at, "", &wire.rest);
        if let Some(point) = wire.cache.take() {
            match out.last_mut() {
                Some(last) => last.cache = Some(cache(point)),
                None => note_name(unknown, at, "cachePoint"),
            }
            continue;
        }
        out.push(Block::new(content(wire, at, unknown)?, at));
    }
    Ok(out)
}

fn content(wire: WireBlock<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Content, ApiError> {
    if let Some(text) = wire.text {
        return Ok(Content::Text(text.into_string()));
    }
    if let Some(json) = wire.json {
        return Ok(Content::Text(json.get().to_owned()));
    }
    for (media, kind, name) in [
        (wire.image, MediaKind::Image, "image"),
        (wire.document, MediaKind::Document, "document"),
        (wire.video, MediaKind::Video, "video"),
        (wire.audio, MediaKind::Audio, "audio"),
    ] {
        if let Some(media) = media {
            return self::media(media, kind, name, at, unknown).map(Content::Media);
        }
    }
    if let Some(call) = wire.tool_use {
        return self::call(call, at, unknown);
    }
    if let Some(result) = wire.tool_result {
        return self::result(result, at, unknown);
    }
    if let Some(thought) = wire.reasoning {
        return thinking(thought, at).map(Content::Thinking);
    }
    if let Some(cited) = wire.cited {
        return Ok(Content::Text(self::cited(cited, at, unknown)));
    }
    if wire.guarded.or(wire.found).is_some() || !wire.rest.is_empty() {
        return Ok(Content::Other(RawValue::NULL.to_owned()));
    }
    Err(invalid(&place(at), "must have one member"))
}

fn call(call: ToolUse<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Content, ApiError> {
    let lacks = |name: &str| missing(&format!("{}.toolUse.{name}", place(at)));
    note(unknown, at, "toolUse.", &call.rest);
    Ok(Content::ToolCall {
        id: call.id.ok_or_else(|| lacks("toolUseId"))?.into_string(),
        name: call.name.ok_or_else(|| lacks("name"))?.into_string(),
        arguments: call.input.map_or("{}", RawValue::get).to_owned(),
        signature: None,
    })
}

fn result(result: ToolResult<'_>, at: At, unknown: &mut Vec<Unknown>) -> Result<Content, ApiError> {
    let lacks = |name: &str| missing(&format!("{}.toolResult.{name}", place(at)));
    note(unknown, at, "toolResult.", &result.rest);
    let is_error = match result.status.as_ref().map(Text::as_str) {
        None | Some("success") => false,
        Some("error") => true,
        Some(_) => {
            let path = format!("{}.toolResult.status", place(at));
            return Err(invalid(&path, "must be one of success, error"));
        }
    };
    let content = result.content.ok_or_else(|| lacks("content"))?;
    Ok(Content::ToolResult {
        id: result.id.ok_or_else(|| lacks("toolUseId"))?.into_string(),
        content: all(content, |nested| at.nested(nested), unknown)?,
        is_error,
    })
}

fn thinking(thought: Reasoning<'_>, at: At) -> Result<Thinking, ApiError> {
    if let Some(data) = thought.redacted {
        return Ok(Thinking::Redacted {
            data: of_blob(data.into_string()),
            model: None,
        });
    }
    let text = thought
        .text
        .ok_or_else(|| missing(&format!("{}.reasoningContent.reasoningText", place(at))))?;
    let signature = text
        .signature
        .map(Text::into_string)
        .filter(|signature| !signature.is_empty());
    Ok(Thinking::Text {
        text: text.text.map(Text::into_string).unwrap_or_default(),
        signature: signature.map(custody::signature),
    })
}

/// What the model said stays; where it read it does not.
fn cited(cited: Cited<'_>, at: At, unknown: &mut Vec<Unknown>) -> String {
    if cited.citations.is_some() {
        note_name(unknown, at, "citationsContent.citations");
    }
    let content = cited.content.unwrap_or_default().into_iter();
    let texts = content.filter_map(|block| block.text.map(Text::into_string));
    texts.collect()
}

fn media(
    wire: WireMedia<'_>,
    kind: MediaKind,
    name: &str,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Media, ApiError> {
    let path = format!("{}.{name}", place(at));
    note(unknown, at, &format!("{name}."), &wire.rest);
    let format = wire.format.as_ref().map(Text::as_str);
    let source = wire
        .source
        .ok_or_else(|| missing(&format!("{path}.source")))?;
    Ok(Media {
        title: wire.name.as_ref().map(|name| name.as_str().to_owned()),
        context: wire.context.map(Text::into_string),
        citations: wire.citations.is_some_and(|it| it.enabled == Some(true)),
        ..Media::new(
            kind,
            self::source(source, kind, format, &path, at, unknown)?,
        )
    })
}

fn source(
    wire: WireSource<'_>,
    kind: MediaKind,
    format: Option<&str>,
    path: &str,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Source, ApiError> {
    if let Some(bytes) = wire.bytes {
        // Documents may leave it out; then they are PDF or text, and say so.
        let format = match (format, kind) {
            (Some(format), _) => format,
            (None, MediaKind::Document) if bytes.as_str().starts_with("JVBERi") => "pdf",
            (None, MediaKind::Document) => "txt",
            (None, MediaKind::Audio | MediaKind::Image | MediaKind::Video) => {
                return Err(missing(&format!("{path}.format")));
            }
        };
        return Ok(Source::Base64 {
            media_type: media_type(kind, format).into_owned(),
            data: bytes.into_string(),
        });
    }
    if let Some(text) = wire.text {
        return Ok(Source::Text(text.into_string()));
    }
    if let Some(content) = wire.content {
        return all(content, |_| at, unknown).map(Source::Blocks);
    }
    let s3 = wire.s3.and_then(|s3| s3.uri);
    let uri = s3.ok_or_else(|| missing(&format!("{path}.source.bytes")))?;
    // Only AWS can fetch it.
    Ok(Source::File(uri.into_string()))
}
