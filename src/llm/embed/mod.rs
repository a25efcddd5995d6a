//! Embeddings, in the words of OpenAI, which nearly all others borrowed, and in those
//! of Gemini.
//! <https://platform.openai.com/docs/api-reference/embeddings>
//!
//! Providers that speak OpenAI's words get the bytes of its clients. All else is
//! translated.

mod answer;
mod asked;
mod bedrock;
mod gemini;
mod openai;
mod vertex;

use std::borrow::Cow;

use bytes::Bytes;

use crate::capabilities::matches;
use crate::path::{InvalidSegment, segment};
use crate::{ApiError, Dropped, ErrorKind, Failure, Profile, UsageReport};

/// In whose words a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedForm {
    /// `batchEmbedContents`.
    GeminiBatch,
    /// `embedContent`.
    GeminiContent,
    /// `/v1/embeddings`.
    OpenAi,
}

/// How a provider embeds with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedService {
    path: &'static str,
    wire: Wire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Cohere's models on Bedrock.
    BedrockCohere,
    /// Amazon's own.
    BedrockTitan,
    OpenAi,
    /// `:batchEmbedContents` of Vertex.
    VertexContents,
    /// `:predict` of Vertex.
    VertexPredict,
}

/// A request for a provider of another wire.
#[derive(Clone, Debug)]
pub struct EmbedRequest {
    /// The body, `application/json`.
    pub body: Bytes,
    /// What the provider cannot carry.
    pub dropped: Dropped,
    /// What its answer's translation must know.
    pub context: EmbedContext,
}

/// What the translation of an answer must know of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedContext {
    wire: Wire,
    form: EmbedForm,
    /// The client wants base64.
    base64: bool,
    /// How many texts were sent.
    inputs: usize,
}

impl EmbedService {
    /// How a provider (by its name in specs) embeds with this model; none where it
    /// does not.
    #[must_use]
    pub fn of(provider: &str, profile: &Profile, model: &str) -> Option<Self> {
        if let Some(path) = profile.embeddings {
            let wire = Wire::OpenAi;
            return Some(Self { path, wire });
        }
        let (path, wire) = match provider {
            "bedrock" if matches("*cohere.embed-*", model) => {
                ("/model/{model}/invoke", Wire::BedrockCohere)
            }
            "bedrock" if matches("*amazon.titan-embed-text*", model) => {
                ("/model/{model}/invoke", Wire::BedrockTitan)
            }
            "vertex" => vertex::service(model)?,
            _ => return None,
        };
        Some(Self { path, wire })
    }

    /// What is appended to the base URL.
    ///
    /// # Errors
    /// When the model's name can be no segment of a path.
    pub fn path(&self, model: &str) -> Result<Cow<'static, str>, InvalidSegment> {
        if !self.path.contains("{model}") {
            return Ok(Cow::Borrowed(self.path));
        }
        Ok(Cow::Owned(self.path.replace("{model}", &segment(model)?)))
    }

    /// True where the provider takes the client's own bytes.
    #[must_use]
    pub fn is_bypass(&self, form: EmbedForm) -> bool {
        self.wire == Wire::OpenAi && form == EmbedForm::OpenAi
    }

    /// Translates a request. `model` is the provider's name of it.
    ///
    /// # Errors
    /// A 400 that names the field.
    pub fn request(
        &self,
        form: EmbedForm,
        body: &[u8],
        model: &str,
    ) -> Result<EmbedRequest, ApiError> {
        let mut asked = match form {
            EmbedForm::GeminiBatch => gemini::read_batch(body)?,
            EmbedForm::GeminiContent => gemini::read_one(body)?,
            EmbedForm::OpenAi => openai::read(body)?,
        };
        let sent = match self.wire {
            Wire::BedrockCohere => bedrock::cohere(&mut asked)?,
            Wire::BedrockTitan => bedrock::titan(&mut asked)?,
            Wire::OpenAi => openai::write(&mut asked, model),
            Wire::VertexContents => gemini::write(&asked),
            Wire::VertexPredict => vertex::predict(&asked),
        };
        Ok(EmbedRequest {
            body: Bytes::from(sent),
            context: EmbedContext {
                wire: self.wire,
                form,
                base64: asked.base64,
                inputs: asked.inputs.len(),
            },
            dropped: asked.dropped,
        })
    }
}

impl EmbedContext {
    /// Translates an answer (2xx) to a client that asked for the `served` model.
    /// `counted` is what a header of the provider says of the tokens of the input.
    ///
    /// # Errors
    /// When it is not in the documented shape: another upstream may still be tried.
    pub fn answer(
        &self,
        body: &[u8],
        served: &str,
        counted: Option<u64>,
    ) -> Result<(Bytes, UsageReport), Failure> {
        let said = match self.wire {
            Wire::BedrockCohere => bedrock::cohere_said(body),
            Wire::BedrockTitan => bedrock::titan_said(body),
            Wire::OpenAi => openai::said(body),
            Wire::VertexContents => gemini::said(body),
            Wire::VertexPredict => vertex::said(body),
        };
        let said = said.filter(|said| said.vectors.len() == self.inputs);
        let mut said = said.ok_or_else(answer::unreadable)?;
        said.tokens = said.tokens.or(counted);
        match self.form {
            EmbedForm::OpenAi => answer::write(&said, served, self.base64),
            form @ (EmbedForm::GeminiBatch | EmbedForm::GeminiContent) => {
                gemini::answer(&said, form)
            }
        }
    }
}

/// Our own structs: string keys, no fallible parts.
fn written<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The 400 of a model that only upstreams without embeddings serve.
#[must_use]
pub fn not_served(model: &str) -> ApiError {
    let message = format!(
        "no upstream of `{model}` has embeddings: providers that have are azure-openai, bedrock \
         (Titan and Cohere), ollama, openai, vertex and vllm"
    );
    ApiError::new(ErrorKind::InvalidRequest, message).param("model")
}

#[cfg(test)]
mod tests;
