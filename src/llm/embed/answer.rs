//! Embeddings for a client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Failure, FailureKind, Usage, UsageReport, json};

/// What a provider said.
#[derive(Debug)]
pub(super) struct Said<'a> {
    /// Lists of numbers, as they were written.
    pub(super) vectors: Vec<&'a RawValue>,
    /// Of the input; none where nothing says it.
    pub(super) tokens: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<OutUsage>,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Base64(String),
    Numbers(&'a RawValue),
}

#[derive(Serialize)]
struct OutUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// An answer of another shape than the documented one.
pub(super) fn unreadable() -> Failure {
    Failure::new(FailureKind::ServerError, "unreadable_answer")
}

impl Said<'_> {
    /// What it cost.
    pub(super) fn usage(&self) -> UsageReport {
        self.tokens.map_or(UsageReport::Absent, |input| {
            UsageReport::Final(Usage {
                input,
                ..Usage::default()
            })
        })
    }
}

/// A vector. Read in any case: what is no list of numbers is no embedding.
pub(super) fn numbers(raw: &RawValue) -> Result<Vec<f32>, Failure> {
    serde_json::from_str(raw.get()).map_err(|_| unreadable())
}

/// Writes an answer for clients of OpenAI's words.
pub(super) fn write(
    said: &Said<'_>,
    model: &str,
    base64: bool,
) -> Result<(Bytes, UsageReport), Failure> {
    let mut data = Vec::with_capacity(said.vectors.len());
    for (index, raw) in said.vectors.iter().enumerate() {
        let numbers = numbers(raw)?;
        let embedding = if base64 {
            // Little-endian floats, as OpenAI packs them.
            let packed: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
            Vector::Base64(STANDARD.encode(packed))
        } else {
            Vector::Numbers(raw)
        };
        data.push(Embedding {
            object: "embedding",
            index,
            embedding,
        });
    }
    let line = json::to_line(&Body {
        object: "list",
        data,
        model,
        usage: said.tokens.map(|tokens| OutUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        }),
    });
    Ok((Bytes::from(line), said.usage()))
}
