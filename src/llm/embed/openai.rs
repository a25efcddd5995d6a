//! OpenAI's words, of clients and of the providers that borrowed them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Said;
use super::asked::{Asked, Input};
use crate::ApiError;
use crate::dropped::Dropped;
use crate::object::{self, OneOrMany, Text, invalid, missing, object};

object! {
    Request<'a> {
        "model" => model: Text<'a>,
        "input" => input: &'a RawValue,
        "encoding_format" => encoding_format: Text<'a>,
        "dimensions" => dimensions: u32,
    }
}

#[derive(Serialize)]
struct OutRequest<'a> {
    model: &'a str,
    input: Vec<&'a str>,
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<Embedding<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    index: usize,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
}

/// Reads a client's request.
pub(super) fn read(body: &[u8]) -> Result<Asked, ApiError> {
    let wire: Request<'_> = object::read(body)?;
    let raw = wire.input.ok_or_else(|| missing("input"))?;
    let texts = serde_json::from_str::<OneOrMany<'_, Text<'_>>>(raw.get());
    let texts = match texts {
        Ok(OneOrMany::One(text)) => vec![text],
        Ok(OneOrMany::Many(all)) => all,
        Err(_) => {
            let what = "must be text: the upstream of this model takes no tokens";
            return Err(invalid("input", what));
        }
    };
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
    let input = |text: Text<'_>| Input {
        text: text.into_string(),
        ..Input::default()
    };
    let asked = Asked {
        inputs: texts.into_iter().map(input).collect(),
        field: "input",
        dimensions: wire.dimensions,
        base64,
        truncate: None,
        dropped,
    };
    asked.checked()
}

/// Writes a request for a provider.
pub(super) fn write(asked: &mut Asked, model: &str) -> Vec<u8> {
    asked.drop_tasks();
    asked.drop_titles();
    asked.drop_truncation();
    super::written(&OutRequest {
        model,
        input: asked.texts(),
        encoding_format: "float",
        dimensions: asked.dimensions,
    })
}

/// Reads a provider's answer.
pub(super) fn said(body: &[u8]) -> Option<Said<'_>> {
    let mut body: Body<'_> = serde_json::from_slice(body).ok()?;
    body.data.sort_by_key(|it| it.index);
    Some(Said {
        vectors: body.data.into_iter().map(|it| it.embedding).collect(),
        tokens: body.usage.and_then(|it| it.prompt_tokens),
    })
}
