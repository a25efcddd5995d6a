//! A client's request for embeddings.

use serde_json::value::RawValue;

use crate::dropped::Dropped;
use crate::object::{self, OneOrMany, Text, invalid, missing, object};
use crate::{ApiError, ErrorKind};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "input" => input: &'a RawValue,
        "encoding_format" => encoding_format: Text<'a>,
        "dimensions" => dimensions: u32,
    }
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Texts; never empty.
    pub(super) input: Vec<String>,
    pub(super) dimensions: Option<u32>,
    pub(super) base64: bool,
    pub(super) dropped: Dropped,
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Asked, ApiError> {
    let wire: Request<'_> = object::read(body)?;
    let raw = wire.input.ok_or_else(|| missing("input"))?;
    let texts = serde_json::from_str::<OneOrMany<'_, Text<'_>>>(raw.get());
    let input = match texts {
        Ok(OneOrMany::One(text)) => vec![text.into_string()],
        Ok(OneOrMany::Many(all)) => all.into_iter().map(Text::into_string).collect(),
        Err(_) => {
            let what = "must be text: the upstream of this model takes no tokens";
            return Err(invalid("input", what));
        }
    };
    if input.is_empty() || input.iter().any(String::is_empty) {
        return Err(invalid("input", "must not be empty"));
    }
    let base64 = match wire.encoding_format.as_ref().map(Text::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(invalid("encoding_format", "must be one of float, base64"));
        }
    };
    let mut dropped = Dropped::default();
    for (name, _) in &wire.rest {
        dropped.extra(name);
    }
    Ok(Asked {
        input,
        dimensions: wire.dimensions,
        base64,
        dropped,
    })
}

/// The 400 where a provider embeds fewer texts at once than were sent.
pub(super) fn too_many(most: usize) -> ApiError {
    let message = format!("`input` must be at most {most} texts for this model");
    ApiError::new(ErrorKind::InvalidRequest, message).param("input")
}
