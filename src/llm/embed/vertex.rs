//! Embeddings by `:predict` of Vertex AI.
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Said;
use super::request::Asked;

#[derive(Serialize)]
struct Request<'a> {
    instances: Vec<Instance<'a>>,
    parameters: Parameters,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    /// A text that is too long is an error, as it is for OpenAI, not a shorter one.
    auto_truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    predictions: Vec<Prediction<'a>>,
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Embeddings<'a>,
}

#[derive(Deserialize)]
struct Embeddings<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    /// A whole number, sometimes written as a float.
    token_count: Option<f64>,
}

pub(super) fn predict(asked: &Asked) -> Vec<u8> {
    let instances = asked.input.iter();
    let request = Request {
        instances: instances.map(|text| Instance { content: text }).collect(),
        parameters: Parameters {
            auto_truncate: false,
            output_dimensionality: asked.dimensions,
        },
    };
    // Our own structs: string keys, no fallible parts.
    serde_json::to_vec(&request).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates"
)]
pub(super) fn said(body: &[u8]) -> Option<Said<'_>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    let counts = body.predictions.iter().map(|it| {
        let statistics = it.embeddings.statistics.as_ref()?;
        statistics.token_count.map(|count| count as u64)
    });
    // One that is missing would make the sum a guess.
    let tokens = counts.sum::<Option<u64>>();
    let vectors = body.predictions.into_iter();
    Some(Said {
        vectors: vectors.map(|it| it.embeddings.values).collect(),
        tokens,
    })
}
