//! Images, documents, films and sounds of a request for a provider.

use serde::Serialize;

use super::super::format;
use crate::codec::Encode;
use crate::ir::{At, Content, Field, Media, Source};

#[derive(Serialize)]
pub(super) struct OutMedia<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    source: OutSource<'a>,
}

#[derive(Serialize)]
pub(super) struct OutDocument<'a> {
    #[serde(flatten)]
    media: OutMedia<'a>,
    name: String,
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
#[serde(rename_all = "camelCase")]
enum OutSource<'a> {
    Bytes(&'a str),
    Content(Vec<OutText<'a>>),
    Text(&'a str),
}

#[derive(Serialize)]
struct OutText<'a> {
    text: &'a str,
}

/// The names of documents: no two may be alike in a request.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    fn of(&mut self, title: Option<&str>) -> String {
        let wanted = title.map(format::document_name).unwrap_or_default();
        let wanted = if wanted.is_empty() {
            String::from("document")
        } else {
            wanted
        };
        let mut name = wanted.clone();
        let mut number = 1;
        while self.0.contains(&name) {
            number += 1;
            name = format!("{wanted} {number}");
        }
        self.0.push(name.clone());
        name
    }
}

/// Writes what has bytes; none where the wire cannot carry it.
pub(super) fn media<'a>(media: &'a Media, at: At, to: &mut Encode<'_>) -> Option<OutMedia<'a>> {
    if media
        .detail
        .as_deref()
        .is_some_and(|detail| detail != "auto")
    {
        to.drop(at, Field::ImageDetail);
    }
    let out = match &media.source {
        Source::Base64 { media_type, data } => {
            format::of(media.kind, media_type).map(|format| OutMedia {
                format: Some(format),
                source: OutSource::Bytes(data),
            })
        }
        // It fetches from its own stores only.
        Source::Blocks(_) | Source::File(_) | Source::Text(_) | Source::Url(_) => None,
    };
    if out.is_none() {
        to.drop(at, Field::Whole);
    }
    out
}

/// Writes a document.
pub(super) fn document<'a>(
    media: &'a Media,
    at: At,
    names: &mut Names,
    to: &mut Encode<'_>,
) -> Option<OutDocument<'a>> {
    let written = match &media.source {
        Source::Text(text) => OutMedia {
            format: Some("txt"),
            source: OutSource::Text(text),
        },
        Source::Blocks(blocks) => {
            let mut texts = Vec::with_capacity(blocks.len());
            for block in blocks {
                match &block.content {
                    Content::Text(text) => texts.push(OutText { text }),
                    Content::Media(_)
                    | Content::Other(_)
                    | Content::Refusal(_)
                    | Content::Thinking(_)
                    | Content::ToolCall { .. }
                    | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
                }
            }
            OutMedia {
                format: None,
                source: OutSource::Content(texts),
            }
        }
        Source::Base64 { .. } | Source::File(_) | Source::Url(_) => self::media(media, at, to)?,
    };
    Some(OutDocument {
        media: written,
        name: names.of(media.title.as_deref()),
        context: media.context.as_deref(),
        citations: media.citations.then_some(Citations { enabled: true }),
    })
}
