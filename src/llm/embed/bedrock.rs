//! Embeddings by `InvokeModel` of Bedrock: the words are those of the model's maker.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Said;
use super::asked::Asked;
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
    texts: Vec<&'a str>,
    input_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<&'static str>,
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
    asked.at_most(1)?;
    asked.drop_tasks();
    asked.drop_titles();
    asked.drop_truncation();
    Ok(super::written(&Titan {
        input_text: asked.texts().first().copied().unwrap_or_default(),
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

pub(super) fn cohere(asked: &mut Asked) -> Result<Vec<u8>, ApiError> {
    asked.at_most(COHERE)?;
    asked.drop_titles();
    let input_type = input_type(asked);
    let truncates = asked.truncate.as_ref().is_some_and(|it| it.value);
    Ok(super::written(&Cohere {
        texts: asked.texts(),
        input_type,
        output_dimension: asked.dimensions,
        truncate: truncates.then_some("END"),
    }))
}

/// What the vectors are for: one word for all of them. What OpenAI's clients embed is
/// to be found, unless they say otherwise.
fn input_type(asked: &mut Asked) -> &'static str {
    let word = |task: &str| match task {
        "RETRIEVAL_DOCUMENT" => Some("search_document"),
        "RETRIEVAL_QUERY" | "QUESTION_ANSWERING" | "FACT_VERIFICATION" | "CODE_RETRIEVAL_QUERY" => {
            Some("search_query")
        }
        "CLASSIFICATION" => Some("classification"),
        "CLUSTERING" => Some("clustering"),
        _ => None,
    };
    let words = asked.inputs.iter();
    let mut words = words.map(|it| it.task.as_ref().map(|task| word(&task.value)));
    let first = words.next().flatten().flatten();
    match first {
        Some(first) if words.all(|it| it == Some(Some(first))) => first,
        _ => {
            asked.drop_tasks();
            "search_document"
        }
    }
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
