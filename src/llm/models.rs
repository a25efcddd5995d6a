//! `GET /v1/models`, in the shapes of the dialects that share the path, and
//! `GET /v1beta/models`.

use bytes::Bytes;
use serde::Serialize;

use crate::{Dialect, json};

/// A served model or an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model<'a> {
    /// The name that clients use.
    pub id: &'a str,
    /// Who serves it: the upstream's name.
    pub owner: &'a str,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    /// `models/{id}`.
    name: String,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 3],
}

/// The body that lists all of them, on one page.
#[must_use]
pub fn list(dialect: Dialect, models: &[Model<'_>]) -> Bytes {
    Bytes::from(match dialect {
        Dialect::AnthropicMessages => json::to_line(&AnthropicList {
            data: models.iter().map(anthropic).collect(),
            has_more: false,
            first_id: models.first().map(|model| model.id),
            last_id: models.last().map(|model| model.id),
        }),
        Dialect::Gemini => json::to_line(&GeminiList {
            models: models.iter().map(gemini).collect(),
        }),
        // Of Bedrock only the runtime is served here, which lists nothing.
        Dialect::BedrockConverse | Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            json::to_line(&OpenAiList {
                object: "list",
                data: models.iter().map(openai).collect(),
            })
        }
    })
}

/// The body that shows one.
#[must_use]
pub fn show(dialect: Dialect, model: &Model<'_>) -> Bytes {
    Bytes::from(match dialect {
        Dialect::AnthropicMessages => json::to_line(&anthropic(model)),
        Dialect::Gemini => json::to_line(&gemini(model)),
        // Of Bedrock only the runtime is served here, which lists nothing.
        Dialect::BedrockConverse | Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            json::to_line(&openai(model))
        }
    })
}

fn openai<'a>(model: &Model<'a>) -> OpenAiModel<'a> {
    OpenAiModel {
        id: model.id,
        object: "model",
        created: 0,
        owned_by: model.owner,
    }
}

fn gemini<'a>(model: &Model<'a>) -> GeminiModel<'a> {
    GeminiModel {
        name: format!("models/{}", model.id),
        display_name: model.id,
        supported_generation_methods: ["generateContent", "streamGenerateContent", "countTokens"],
    }
}

fn anthropic<'a>(model: &Model<'a>) -> AnthropicModel<'a> {
    AnthropicModel {
        r#type: "model",
        id: model.id,
        display_name: model.id,
        // "May be set to an epoch value if the release date is unknown."
        created_at: "1970-01-01T00:00:00Z",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: [Model<'_>; 2] = [
        Model {
            id: "opus",
            owner: "anthropic",
        },
        Model {
            id: "org/m:1",
            owner: "gpu",
        },
    ];

    #[test]
    fn openai_clients_get_their_shape() {
        assert_eq!(
            list(Dialect::OpenAiChat, &MODELS),
            r#"{"object":"list","data":[{"id":"opus","object":"model","created":0,"owned_by":"anthropic"},{"id":"org/m:1","object":"model","created":0,"owned_by":"gpu"}]}"#
        );
        assert_eq!(
            show(Dialect::OpenAiChat, &MODELS[1]),
            r#"{"id":"org/m:1","object":"model","created":0,"owned_by":"gpu"}"#
        );
    }

    #[test]
    fn gemini_clients_get_theirs() {
        assert_eq!(
            list(Dialect::Gemini, &MODELS[1..]),
            r#"{"models":[{"name":"models/org/m:1","displayName":"org/m:1","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}]}"#
        );
    }

    #[test]
    fn anthropic_clients_get_theirs() {
        assert_eq!(
            list(Dialect::AnthropicMessages, &MODELS[..1]),
            r#"{"data":[{"type":"model","id":"opus","display_name":"opus","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"opus","last_id":"opus"}"#
        );
        assert_eq!(
            list(Dialect::AnthropicMessages, &[]),
            r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
    }
}
