//! Images, documents, films and sounds of a request for a provider.

use std::borrow::Cow;

use serde::Serialize;

use super::super::format;
use crate::codec::Encode;
use crate::ir::{At, Content, Field, Media, Source};
use crate::media;

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
    Bytes(Cow<'a, str>),
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
                source: OutSource::Bytes(Cow::Borrowed(data)),
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

/// Writes a document. Text as it is, and in parts, is taken only where citations of it
/// are wanted; else it comes as a file.
pub(super) fn document<'a>(
    media: &'a Media,
    at: At,
    names: &mut Names,
    to: &mut Encode<'_>,
) -> Option<OutDocument<'a>> {
    let written = match &media.source {
        Source::Text(text) if media.citations => OutMedia {
            format: Some(TEXT),
            source: OutSource::Text(text),
        },
        Source::Text(text) => file(text),
        Source::Blocks(blocks) => {
            let mut texts = Vec::with_capacity(blocks.len());
            for block in blocks {
                match &block.content {
                    Content::Text(text) => texts.push(text.as_str()),
                    Content::Media(_)
                    | Content::Other(_)
                    | Content::Refusal(_)
                    | Content::Thinking(_)
                    | Content::ToolCall { .. }
                    | Content::ToolResult { .. } => to.drop(block.at, Field::Whole),
                }
            }
            if media.citations {
                let parts = texts.into_iter().map(|text| OutText { text });
                OutMedia {
                    format: None,
                    source: OutSource::Content(parts.collect()),
                }
            } else {
                file(&texts.join("\n"))
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

/// The word for plain text.
const TEXT: &str = "txt";

fn file(text: &str) -> OutMedia<'static> {
    OutMedia {
        format: Some(TEXT),
        source: OutSource::Bytes(Cow::Owned(media::encoded(text))),
    }
}

impl OutDocument<'_> {
    /// A breakpoint of the cache may stand behind it; behind others it is a 400.
    pub(super) fn is_pdf(&self) -> bool {
        self.media.format == Some("pdf")
    }
}
