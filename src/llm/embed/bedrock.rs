//! Embeddings by `InvokeModel` of Bedrock: the words are those of the model's maker.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Said;
use super::request::{Asked, too_many};
use crate::ApiError;

/// Texts that Cohere's models take at once.
const COHERE: usize = 96;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Titan<'a> {
    input_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TitanSaid<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
    input_text_token_count: Option<u64>,
}

#[derive(Serialize)]
struct Cohere<'a> {
    texts: &'a [String],
    input_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
}

#[derive(Deserialize)]
struct CohereSaid<'a> {
    #[serde(borrow)]
    embeddings: &'a RawValue,
}

/// By type, as the newer models answer.
#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

/// Amazon's models take one text.
pub(super) fn titan(asked: &mut Asked) -> Result<Vec<u8>, ApiError> {
    let [text] = asked.input.as_slice() else {
        return Err(too_many(1));
    };
    Ok(written(&Titan {
        input_text: text,
        dimensions: asked.dimensions,
    }))
}

pub(super) fn titan_said(body: &[u8]) -> Option<Said<'_>> {
    let said: TitanSaid<'_> = serde_json::from_slice(body).ok()?;
    Some(Said {
        vectors: vec![said.embedding],
        tokens: said.input_text_token_count,
    })
}

/// What OpenAI's clients embed is to be found, unless they say otherwise.
pub(super) fn cohere(asked: &mut Asked) -> Result<Vec<u8>, ApiError> {
    if asked.input.len() > COHERE {
        return Err(too_many(COHERE));
    }
    Ok(written(&Cohere {
        texts: &asked.input,
        input_type: "search_document",
        output_dimension: asked.dimensions,
    }))
}

pub(super) fn cohere_said(body: &[u8]) -> Option<Said<'_>> {
    let said: CohereSaid<'_> = serde_json::from_slice(body).ok()?;
    let raw = said.embeddings.get();
    let vectors = match serde_json::from_str::<Vec<&RawValue>>(raw) {
        Ok(vectors) => vectors,
        Err(_) => serde_json::from_str::<ByType<'_>>(raw).ok()?.float,
    };
    Some(Said {
        vectors,
        tokens: None,
    })
}

/// Our own structs: string keys, no fallible parts.
fn written<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
