//! A client's parts → IR.

use std::collections::VecDeque;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::names::place;
use super::super::signature;
use super::read::note;
use super::wire::{Blob, Call, FileData, Part, Response};
use crate::ApiError;
use crate::ir::{At, Block, Content, Media, MediaKind, Source, Unknown};
use crate::object::{Text, invalid, missing};

/// The calls that wait for their results: ids may be left out, then names and order
/// say what belongs together.
#[derive(Default)]
pub(super) struct Calls(VecDeque<(String, String)>);

impl Calls {
    fn called(&mut self, id: &str, name: &str) {
        self.0.push_back((id.to_owned(), name.to_owned()));
    }

    /// The id of the call that is answered.
    fn answered(&mut self, id: Option<String>, name: &str) -> Option<String> {
        let place = match &id {
            Some(id) => self.0.iter().position(|(known, _)| known == id),
            None => self.0.iter().position(|(_, called)| called == name),
        };
        let known = place.and_then(|place| self.0.remove(place));
        id.or_else(|| known.map(|(id, _)| id))
    }
}

/// Reads a part; none where it says nothing.
pub(super) fn content(
    part: Part<'_>,
    at: At,
    calls: &mut Calls,
    unknown: &mut Vec<Unknown>,
) -> Result<Option<Content>, ApiError> {
    let signed = part.signature.as_ref().map(Text::as_str);
    let signed = signed.filter(|signature| !signature.is_empty());
    if let Some(call) = part.call {
        note(unknown, at, "", &part.rest);
        let signature = signed.and_then(signature::of_call);
        return self::call(call, at, signature, calls, unknown).map(Some);
    }
    if let Some(response) = part.response {
        note(unknown, at, "", &part.rest);
        return result(response, at, calls, unknown).map(Some);
    }
    if let Some(media) = media(part.inline, part.file, at, unknown)? {
        note(unknown, at, "", &part.rest);
        return Ok(Some(Content::Media(media)));
    }
    let thought = part.thought == Some(true);
    let text = part.text.map(Text::into_string).unwrap_or_default();
    if thought || (signed.is_some() && text.is_empty()) {
        note(unknown, at, "", &part.rest);
        return Ok(Some(Content::Thinking(signature::thinking(text, signed))));
    }
    // A signature of a text is Gemini's own, and it does not insist on it.
    if !text.is_empty() {
        note(unknown, at, "", &part.rest);
        return Ok(Some(Content::Text(text)));
    }
    // Code that Gemini ran, and what else only it has.
    let other = !part.rest.is_empty();
    Ok(other.then(|| Content::Other(RawValue::NULL.to_owned())))
}

fn call(
    call: Call<'_>,
    at: At,
    signature: Option<crate::ir::Signature>,
    calls: &mut Calls,
    unknown: &mut Vec<Unknown>,
) -> Result<Content, ApiError> {
    note(unknown, at, "functionCall.", &call.rest);
    let name = call
        .name
        .ok_or_else(|| missing(&format!("{}.functionCall.name", place(at))))?
        .into_string();
    let id = call.id.map(Text::into_string).filter(|id| !id.is_empty());
    let part = at.part.unwrap_or_default();
    let id = id.unwrap_or_else(|| format!("call_{}_{part}", at.item));
    calls.called(&id, &name);
    Ok(Content::ToolCall {
        id,
        name,
        arguments: call.args.map_or("{}", RawValue::get).to_owned(),
        signature,
    })
}

fn result(
    response: Response<'_>,
    at: At,
    calls: &mut Calls,
    unknown: &mut Vec<Unknown>,
) -> Result<Content, ApiError> {
    note(unknown, at, "functionResponse.", &response.rest);
    let name = response.name.map(Text::into_string).unwrap_or_default();
    let id = response
        .id
        .map(Text::into_string)
        .filter(|id| !id.is_empty());
    let id = calls.answered(id, &name).ok_or_else(|| {
        let path = format!("{}.functionResponse.name", place(at));
        invalid(
            &path,
            "must be the name of a function that was called before",
        )
    })?;
    let (text, is_error) = response.response.map_or((None, false), said);
    let mut content: Vec<Block> = Vec::new();
    content.extend(text.map(|text| Block::new(Content::Text(text), at)));
    let parts = response.parts.map(|parts| parts.0).unwrap_or_default();
    for (index, part) in parts.into_iter().enumerate() {
        let at = at.nested(index);
        note(unknown, at, "", &part.rest);
        if let Some(media) = media(part.inline, part.file, at, unknown)? {
            content.push(Block::new(Content::Media(media), at));
        }
    }
    Ok(Content::ToolResult {
        id,
        content,
        is_error,
    })
}

/// What a tool said. "Use `output` key to specify function output and `error` key to
/// specify error details"; the SDK says `result`.
fn said(response: &RawValue) -> (Option<String>, bool) {
    let whole = response.get();
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(whole) else {
        return (Some(whole.to_owned()), false);
    };
    let mut only = members.iter();
    let (Some((name, value)), None) = (only.next(), only.next()) else {
        return ((!members.is_empty()).then(|| whole.to_owned()), false);
    };
    let text = || {
        let said = value.as_str().map(str::to_owned);
        said.unwrap_or_else(|| value.to_string())
    };
    match name.as_str() {
        "output" | "result" => (Some(text()), false),
        "error" => (Some(text()), true),
        _ => (Some(whole.to_owned()), false),
    }
}

fn media(
    inline: Option<Blob<'_>>,
    file: Option<FileData<'_>>,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Option<Media>, ApiError> {
    let lacks = |name: &str| missing(&format!("{}.{name}", place(at)));
    if let Some(blob) = inline {
        note(unknown, at, "inlineData.", &blob.rest);
        let media_type = blob.mime_type.ok_or_else(|| lacks("inlineData.mimeType"))?;
        let data = blob.data.ok_or_else(|| lacks("inlineData.data"))?;
        let source = Source::Base64 {
            media_type: media_type.as_str().to_owned(),
            data: signature::standard(data.into_string()),
        };
        return Ok(Some(Media {
            title: blob.name.map(Text::into_string),
            ..Media::new(kind(media_type.as_str()), source)
        }));
    }
    let Some(file) = file else { return Ok(None) };
    note(unknown, at, "fileData.", &file.rest);
    let uri = file.uri.ok_or_else(|| lacks("fileData.fileUri"))?;
    let media_type = file.mime_type.as_ref().map_or("", Text::as_str);
    let fetchable = uri.as_str().starts_with("https://") || uri.as_str().starts_with("http://");
    let kind = kind(media_type);
    let uri = uri.into_string();
    let source = match fetchable {
        true => Source::Url(uri),
        // Only Google can fetch it.
        false => Source::File(uri),
    };
    Ok(Some(Media {
        title: file.name.map(Text::into_string),
        ..Media::new(kind, source)
    }))
}

fn kind(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("audio") => MediaKind::Audio,
        Some("image") => MediaKind::Image,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}
