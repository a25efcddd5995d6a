//! Embeddings by `:predict` of Vertex AI.
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Wire;
use super::answer::Said;
use super::asked::Asked;
use crate::capabilities::matches;

/// Path and wire of a model; none of what does not embed.
pub(super) fn service(model: &str) -> Option<(&'static str, Wire)> {
    let is = |globs: &[&str]| globs.iter().any(|glob| matches(glob, model));
    if !is(&["*embedding*", "*gecko*"]) {
        return None;
    }
    // Those of Gemini's second generation know no `:predict`.
    let contents =
        is(&["gemini-embedding-*"]) && !is(&["gemini-embedding-001*", "gemini-embedding-exp*"]);
    Some(match contents {
        true => (
            "/publishers/google/models/{model}:batchEmbedContents",
            Wire::VertexContents,
        ),
        false => (
            "/publishers/google/models/{model}:predict",
            Wire::VertexPredict,
        ),
    })
}

#[derive(Serialize)]
struct Request<'a> {
    instances: Vec<Instance<'a>>,
    parameters: Parameters,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    /// A text that is too long is an error, as it is for OpenAI, not a shorter one,
    /// unless the client says otherwise.
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
    let instances = asked.inputs.iter().map(|input| Instance {
        content: &input.text,
        task_type: input.task.as_ref().map(|it| it.value.as_str()),
        title: input.title.as_ref().map(|it| it.value.as_str()),
    });
    super::written(&Request {
        instances: instances.collect(),
        parameters: Parameters {
            auto_truncate: asked.truncate.as_ref().is_some_and(|it| it.value),
            output_dimensionality: asked.dimensions,
        },
    })
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
