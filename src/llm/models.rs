//! `GET /v1/models`, in the shapes of the dialects that share the path, `GET
//! /v1beta/models`, and Ollama's `GET /api/tags`.

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

#[derive(Serialize)]
struct OllamaList<'a> {
    models: Vec<OllamaModel<'a>>,
}

#[derive(Serialize)]
struct OllamaModel<'a> {
    name: &'a str,
    model: &'a str,
    modified_at: &'static str,
    size: u64,
    digest: &'static str,
    details: OllamaDetails,
}

/// Of the file that a model is to Ollama; nothing is known of it here.
#[derive(Default, Serialize)]
struct OllamaDetails {
    parent_model: &'static str,
    format: &'static str,
    family: &'static str,
    families: [&'static str; 0],
    parameter_size: &'static str,
    quantization_level: &'static str,
}

#[derive(Serialize)]
struct OllamaShown {
    modelfile: &'static str,
    parameters: &'static str,
    template: &'static str,
    details: OllamaDetails,
    /// Empty, but never left out: clients insist on it.
    model_info: Empty,
    capabilities: [&'static str; 2],
    modified_at: &'static str,
}

#[derive(Serialize)]
struct Empty {}

/// "May be set to an epoch value if the release date is unknown."
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// The Ollama whose API this is: clients decide by it what they may ask for.
const OLLAMA_VERSION: &str = "0.40.0";

/// The body that says whose API this is.
#[must_use]
pub fn version() -> Bytes {
    #[derive(Serialize)]
    struct Version {
        version: &'static str,
    }
    let version = OLLAMA_VERSION;
    Bytes::from(json::to_line(&Version { version }))
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
        Dialect::OllamaChat => json::to_line(&OllamaList {
            models: models.iter().map(ollama).collect(),
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
        Dialect::OllamaChat => json::to_line(&OllamaShown {
            modelfile: "",
            parameters: "",
            template: "",
            details: OllamaDetails::default(),
            model_info: Empty {},
            // What every model may be asked for here.
            capabilities: ["completion", "tools"],
            modified_at: UNKNOWN_DATE,
        }),
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

fn ollama<'a>(model: &Model<'a>) -> OllamaModel<'a> {
    OllamaModel {
        name: model.id,
        model: model.id,
        modified_at: UNKNOWN_DATE,
        size: 0,
        digest: "",
        details: OllamaDetails::default(),
    }
}

fn anthropic<'a>(model: &Model<'a>) -> AnthropicModel<'a> {
    AnthropicModel {
        r#type: "model",
        id: model.id,
        display_name: model.id,
        created_at: UNKNOWN_DATE,
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
    fn ollama_clients_get_theirs() {
        let details = r#""details":{"parent_model":"","format":"","family":"","families":[],"parameter_size":"","quantization_level":""}"#;
        assert_eq!(
            list(Dialect::OllamaChat, &MODELS[1..]),
            format!(
                r#"{{"models":[{{"name":"org/m:1","model":"org/m:1","modified_at":"1970-01-01T00:00:00Z","size":0,"digest":"",{details}}}]}}"#
            )
        );
        assert_eq!(
            show(Dialect::OllamaChat, &MODELS[1]),
            format!(
                r#"{{"modelfile":"","parameters":"","template":"",{details},"model_info":{{}},"capabilities":["completion","tools"],"modified_at":"1970-01-01T00:00:00Z"}}"#
            )
        );
        assert_eq!(version(), r#"{"version":"0.40.0"}"#);
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
