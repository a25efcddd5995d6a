//! Parts of a message or of a tool's result → the blocks of the IR.

use super::wire::Part;
use crate::ir::{At, Block, CacheControl, Content, Media, MediaKind, Source, Unknown};
use crate::object::{Text, invalid, missing};
use crate::responses::names;
use crate::{ApiError, media};

/// Reads a part that stands at `at`.
pub(super) fn read(
    mut part: Part<'_>,
    at: At,
    unknown: &mut Vec<Unknown>,
) -> Result<Block, ApiError> {
    let path = names::place(at);
    unknown.extend(part.rest.iter().map(|(name, _)| Unknown {
        at,
        name: name.clone().into_owned(),
    }));
    let needs = |field: &str| missing(&format!("{path}.{field}"));
    let kind = part.kind.take().ok_or_else(|| needs("type"))?;
    let cache = part.breakpoint.take().map(|breakpoint| {
        unknown.extend(breakpoint.rest.iter().map(|(name, _)| Unknown {
            at,
            name: format!("prompt_cache_breakpoint.{name}"),
        }));
        CacheControl { ttl: None }
    });
    let content = match kind.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            let text = part.text.ok_or_else(|| needs("text"))?;
            Content::Text(text.into_string())
        }
        "refusal" => {
            let text = part.refusal.ok_or_else(|| needs("refusal"))?;
            Content::Refusal(text.into_string())
        }
        "input_image" | "computer_screenshot" => Content::Media(image(part, &path)?),
        "input_audio" => {
            let audio = part.input_audio.ok_or_else(|| needs("input_audio"))?;
            let data = audio.data.ok_or_else(|| needs("input_audio.data"))?;
            let format = audio.format.ok_or_else(|| needs("input_audio.format"))?;
            let source = Source::Base64 {
                media_type: format!("audio/{}", format.as_str()),
                data: data.into_string(),
            };
            Content::Media(Media::new(MediaKind::Audio, source))
        }
        "input_file" => Content::Media(file(part, &path)?),
        _ => {
            return Err(invalid(
                &format!("{path}.type"),
                "must be one of input_text, input_image, input_file, input_audio, output_text, \
                 refusal",
            ));
        }
    };
    Ok(Block { content, cache, at })
}

fn image(part: Part<'_>, path: &str) -> Result<Media, ApiError> {
    let source = match (part.image_url, part.file_id) {
        (Some(url), _) => media::source(url.as_str()).ok_or_else(|| {
            invalid(
                &format!("{path}.image_url"),
                "must be an http or https URL, or a base64 data URL",
            )
        })?,
        (None, Some(id)) => Source::File(id.into_string()),
        (None, None) => return Err(missing(&format!("{path}.image_url"))),
    };
    Ok(Media {
        detail: part.detail.map(Text::into_string),
        ..Media::new(MediaKind::Image, source)
    })
}

fn file(part: Part<'_>, path: &str) -> Result<Media, ApiError> {
    let wrong = |field: &str, what: &str| invalid(&format!("{path}.{field}"), what);
    let source = match (part.file_data, part.file_url, part.file_id) {
        (Some(data), _, _) => media::source(data.as_str())
            .filter(|source| matches!(source, Source::Base64 { .. }))
            .ok_or_else(|| wrong("file_data", "must be a base64 data URL"))?,
        (None, Some(url), _) => media::source(url.as_str())
            .filter(|source| matches!(source, Source::Url(_)))
            .ok_or_else(|| wrong("file_url", "must be an http or https URL"))?,
        (None, None, Some(id)) => Source::File(id.into_string()),
        (None, None, None) => return Err(missing(&format!("{path}.file_data"))),
    };
    Ok(Media {
        title: part.filename.map(Text::into_string),
        ..Media::new(MediaKind::Document, source)
    })
}
