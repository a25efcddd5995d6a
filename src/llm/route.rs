//! Method, path and headers → dialect and operation.

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::embed::EmbedForm;
use crate::{ApiError, Dialect, ErrorKind};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// How many tokens a request has.
    CountTokens(Call),
    /// Vectors for texts.
    Embed(EmbedForm, Call),
    /// An answer of a model, streamed or not.
    Generate(Call),
    /// The models that are served.
    ListModels,
    /// One served model or alias, by its name (percent-decoded).
    ShowModel(String),
    /// The same by the name in the body.
    ShowModelOfBody,
    /// Whose API this is, and in which version.
    Version,
}

/// What a path says of a request to a model, in dialects whose body does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The model (percent-decoded); none: the body names it.
    pub model: Option<String>,
    /// Whether a stream is wanted; none: the body says so.
    pub stream: Option<bool>,
}

/// A request line that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which wire the client speaks.
    pub dialect: Dialect,
    /// What it asks for.
    pub operation: Operation,
}

/// A request line that is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path exists, the method does not.
    #[error("{path} takes {allow} only")]
    MethodNotAllowed {
        /// The dialect to answer in.
        dialect: Dialect,
        /// The value of the `allow` header.
        allow: &'static str,
        /// The path as it is served.
        path: &'static str,
    },
    /// What the path asks for, nobody kept.
    #[error(
        "this gateway keeps no responses: send the whole conversation in `input` of \
         POST /v1/responses"
    )]
    NotKept {
        /// The dialect to answer in.
        dialect: Dialect,
    },
    /// Nothing is served at this path.
    #[error(
        "no such path; this gateway serves POST /v1/chat/completions, POST /v1/responses, \
         POST /v1/embeddings, POST /v1/messages, POST /api/chat, \
         POST /v1beta/models/{{model}}:generateContent and GET /v1/models"
    )]
    NotFound {
        /// The dialect to answer in.
        dialect: Dialect,
    },
    /// A part of Ollama's API that is not served.
    #[error(
        "not served; of Ollama's API this gateway has POST /api/chat, GET /api/tags, \
         POST /api/show and GET /api/version"
    )]
    NotOfOllama,
}

impl RouteError {
    /// The dialect to answer in.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::MethodNotAllowed { dialect, .. }
            | Self::NotFound { dialect }
            | Self::NotKept { dialect } => *dialect,
            Self::NotOfOllama => Dialect::OllamaChat,
        }
    }

    /// The answer. A 405 also needs an `allow` header.
    #[must_use]
    pub fn to_error(&self) -> ApiError {
        let kind = match self {
            Self::MethodNotAllowed { .. } => ErrorKind::MethodNotAllowed,
            Self::NotFound { .. } | Self::NotKept { .. } | Self::NotOfOllama => ErrorKind::NotFound,
        };
        ApiError::new(kind, self.to_string())
    }
}

/// Finds out what a request asks for. `path` is without the query.
///
/// # Errors
/// When nothing is served there; the error knows the dialect to answer in.
pub fn route(method: &Method, path: &str, headers: &HeaderMap) -> Result<Route, RouteError> {
    let dialect = dialect_of(path, headers);
    let served = served(path).ok_or_else(|| match path.strip_prefix("/v1/responses/") {
        Some(_) => RouteError::NotKept { dialect },
        None if dialect == Dialect::OllamaChat => RouteError::NotOfOllama,
        None => RouteError::NotFound { dialect },
    })?;
    if *method != served.method {
        let allow = match served.method {
            Method::GET => "GET",
            _ => "POST",
        };
        return Err(RouteError::MethodNotAllowed {
            dialect,
            allow,
            path: served.path,
        });
    }
    Ok(Route {
        dialect,
        operation: served.operation,
    })
}

/// What is at a path.
struct Served {
    operation: Operation,
    method: Method,
    /// As messages name it.
    path: &'static str,
}

fn served(path: &str) -> Option<Served> {
    let found = fixed(path).or_else(|| gemini(path));
    found.or_else(|| match bedrock(path) {
        Some((model, operation)) => of_bedrock(model, operation),
        None => {
            let model = path.strip_prefix("/v1/models/")?;
            let model = percent_decode_str(model).decode_utf8().ok()?;
            let model = Some(model.into_owned()).filter(|model| !model.is_empty())?;
            Some(Served {
                operation: Operation::ShowModel(model),
                method: Method::GET,
                path: "/v1/models/{model}",
            })
        }
    })
}

/// What is at a path that names no model.
fn fixed(path: &str) -> Option<Served> {
    let served = |operation, method, path| {
        Some(Served {
            operation,
            method,
            path,
        })
    };
    let generate = |path| served(Operation::Generate(Call::default()), Method::POST, path);
    match path {
        "/api/chat" => generate("/api/chat"),
        "/api/show" => served(Operation::ShowModelOfBody, Method::POST, "/api/show"),
        "/api/tags" => served(Operation::ListModels, Method::GET, "/api/tags"),
        "/api/version" => served(Operation::Version, Method::GET, "/api/version"),
        "/v1/chat/completions" => generate("/v1/chat/completions"),
        "/v1/messages" => generate("/v1/messages"),
        "/v1/messages/count_tokens" => served(
            Operation::CountTokens(Call::default()),
            Method::POST,
            "/v1/messages/count_tokens",
        ),
        "/v1/embeddings" => served(
            Operation::Embed(EmbedForm::OpenAi, Call::default()),
            Method::POST,
            "/v1/embeddings",
        ),
        "/v1/responses" => generate("/v1/responses"),
        "/v1/responses/input_tokens" => served(
            Operation::CountTokens(Call::default()),
            Method::POST,
            "/v1/responses/input_tokens",
        ),
        "/v1/models" => served(Operation::ListModels, Method::GET, "/v1/models"),
        _ => None,
    }
}

fn of_bedrock(model: String, operation: &str) -> Option<Served> {
    let call = |stream| Call {
        model: Some(model),
        stream,
    };
    let (operation, path) = match operation {
        "converse" => (
            Operation::Generate(call(Some(false))),
            "/model/{modelId}/converse",
        ),
        "converse-stream" => (
            Operation::Generate(call(Some(true))),
            "/model/{modelId}/converse-stream",
        ),
        "count-tokens" => (
            Operation::CountTokens(call(None)),
            "/model/{modelId}/count-tokens",
        ),
        _ => return None,
    };
    Some(Served {
        operation,
        method: Method::POST,
        path,
    })
}

/// What is at a path of Gemini's. Its clients say `/v1` or `/v1beta`; those of Vertex AI
/// put a project before the model.
fn gemini(path: &str) -> Option<Served> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let is_beta = matches!(version, "v1alpha" | "v1beta" | "v1beta1");
    if !is_beta && version != "v1" {
        return None;
    }
    let name = rest.strip_prefix("models/").or_else(|| {
        let of_project = rest.starts_with("projects/") || rest.starts_with("publishers/");
        let (_, rest) = rest.split_once("publishers/").filter(|_| of_project)?;
        rest.split_once("/models/").map(|(_, name)| name)
    });
    let decoded = |name| percent_decode_str(name).decode_utf8().ok();
    if let Some((model, verb)) = name.and_then(|name| name.rsplit_once(':'))
        && let Some(model) = decoded(model).filter(|model| !model.is_empty())
    {
        let call = |stream| Call {
            model: Some(model.into_owned()),
            stream,
        };
        let (operation, path) = match verb {
            "generateContent" => (
                Operation::Generate(call(Some(false))),
                "/v1beta/models/{model}:generateContent",
            ),
            "streamGenerateContent" => (
                Operation::Generate(call(Some(true))),
                "/v1beta/models/{model}:streamGenerateContent",
            ),
            "embedContent" => (
                Operation::Embed(EmbedForm::GeminiContent, call(None)),
                "/v1beta/models/{model}:embedContent",
            ),
            "batchEmbedContents" => (
                Operation::Embed(EmbedForm::GeminiBatch, call(None)),
                "/v1beta/models/{model}:batchEmbedContents",
            ),
            "countTokens" => (
                Operation::CountTokens(call(None)),
                "/v1beta/models/{model}:countTokens",
            ),
            _ => return is_beta.then(|| shown(name)).flatten(),
        };
        return Some(Served {
            operation,
            method: Method::POST,
            path,
        });
    }
    if !is_beta {
        return None;
    }
    if rest == "models" {
        return Some(Served {
            operation: Operation::ListModels,
            method: Method::GET,
            path: "/v1beta/models",
        });
    }
    shown(name)
}

/// One model of Gemini's.
fn shown(name: Option<&str>) -> Option<Served> {
    let model = percent_decode_str(name?).decode_utf8().ok()?;
    let model = Some(model.into_owned()).filter(|model| !model.is_empty())?;
    Some(Served {
        operation: Operation::ShowModel(model),
        method: Method::GET,
        path: "/v1beta/models/{model}",
    })
}

/// True for paths that only Gemini's clients have.
fn is_gemini(path: &str) -> bool {
    let beta = ["/v1alpha/", "/v1beta/", "/v1beta1/"];
    let asks = || {
        let served = gemini(path);
        served.is_some_and(|it| it.method == Method::POST)
    };
    beta.iter().any(|prefix| path.starts_with(prefix))
        || path.starts_with("/v1/projects/")
        || asks()
}

/// The model and the operation in a path of Bedrock's runtime. Ids may be ARNs, whose
/// slashes some clients leave as they are.
fn bedrock(path: &str) -> Option<(String, &str)> {
    let (model, operation) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
    (!model.is_empty()).then_some((model, operation))
}

/// The dialect to answer in, for any path.
///
/// `/v1/models` exists in several: Anthropic's clients are known by the
/// `anthropic-version` header, which their API requires, Gemini's by their key or what
/// their SDK says about itself.
#[must_use]
pub fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    // The path decides, whatever headers a client drags along.
    if let "/v1/chat/completions" | "/v1/embeddings" = path {
        return Dialect::OpenAiChat;
    }
    let of_messages = path
        .strip_prefix("/v1/messages")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if of_messages {
        return Dialect::AnthropicMessages;
    }
    if is_gemini(path) {
        return Dialect::Gemini;
    }
    if path.starts_with("/model/") {
        return Dialect::BedrockConverse;
    }
    if path.starts_with("/api/") {
        return Dialect::OllamaChat;
    }
    let of_responses = path
        .strip_prefix("/v1/responses")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if of_responses {
        return Dialect::OpenAiResponses;
    }
    if headers.contains_key("anthropic-version") {
        return Dialect::AnthropicMessages;
    }
    let mut of_gemini = ["x-goog-api-key", "x-goog-api-client"].into_iter();
    if of_gemini.any(|name| headers.contains_key(name)) {
        return Dialect::Gemini;
    }
    Dialect::OpenAiChat
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anthropic() -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("anthropic-version"),
            http::HeaderValue::from_static("2023-06-01"),
        )])
    }

    #[test]
    fn generate_paths_name_their_dialect() {
        let none = HeaderMap::new();
        let chat = route(&Method::POST, "/v1/chat/completions", &none).unwrap();
        assert_eq!(chat.dialect, Dialect::OpenAiChat);
        let messages = route(&Method::POST, "/v1/messages", &none).unwrap();
        assert_eq!(messages.dialect, Dialect::AnthropicMessages);
        // The path decides, whatever headers a client drags along.
        let chat = route(&Method::POST, "/v1/chat/completions", &anthropic()).unwrap();
        assert_eq!(chat.dialect, Dialect::OpenAiChat);
    }

    #[test]
    fn models_follow_the_version_header() {
        let openai = route(&Method::GET, "/v1/models", &HeaderMap::new()).unwrap();
        assert_eq!(openai.dialect, Dialect::OpenAiChat);
        let claude = route(&Method::GET, "/v1/models", &anthropic()).unwrap();
        assert_eq!(claude.dialect, Dialect::AnthropicMessages);
        assert_eq!(claude.operation, Operation::ListModels);
    }

    #[test]
    fn model_names_keep_slashes_and_colons() {
        for path in ["/v1/models/org/m:1", "/v1/models/org%2Fm%3A1"] {
            let found = route(&Method::GET, path, &HeaderMap::new()).unwrap();
            assert_eq!(found.operation, Operation::ShowModel("org/m:1".into()));
        }
        assert!(route(&Method::GET, "/v1/models/%ff", &HeaderMap::new()).is_err());
    }

    #[test]
    fn bedrock_names_the_model_and_the_form_in_the_path() {
        let none = HeaderMap::new();
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b-v1:0";
        for (path, model, stream) in [
            ("/model/us.a.b-v1%3A0/converse", "us.a.b-v1:0", false),
            ("/model/us.a.b-v1:0/converse-stream", "us.a.b-v1:0", true),
            (
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.a.b-v1%3A0/converse",
                arn,
                false,
            ),
            (
                "/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b-v1:0/converse",
                arn,
                false,
            ),
        ] {
            let found = route(&Method::POST, path, &none).unwrap();
            assert_eq!(found.dialect, Dialect::BedrockConverse);
            let call = Call {
                model: Some(model.to_owned()),
                stream: Some(stream),
            };
            assert_eq!(found.operation, Operation::Generate(call), "{path}");
        }
        for path in ["/model/m/invoke", "/model/m", "/model//converse"] {
            let refused = route(&Method::POST, path, &none).unwrap_err();
            assert_eq!(refused.dialect(), Dialect::BedrockConverse, "{path}");
        }
    }

    #[test]
    fn gemini_names_the_model_and_the_form_in_the_path() {
        let none = HeaderMap::new();
        for (path, model, stream) in [
            ("/v1/models/m:generateContent", "m", false),
            ("/v1beta/models/org/m:1:generateContent", "org/m:1", false),
            (
                "/v1beta/models/org%2Fm%3A1:streamGenerateContent",
                "org/m:1",
                true,
            ),
            (
                "/v1/projects/p/locations/global/publishers/google/models/m:streamGenerateContent",
                "m",
                true,
            ),
            (
                "/v1beta1/publishers/google/models/m:generateContent",
                "m",
                false,
            ),
        ] {
            let found = route(&Method::POST, path, &none).unwrap();
            assert_eq!(found.dialect, Dialect::Gemini, "{path}");
            let call = Call {
                model: Some(model.to_owned()),
                stream: Some(stream),
            };
            assert_eq!(found.operation, Operation::Generate(call), "{path}");
        }
        let counted = route(&Method::POST, "/v1/models/m:countTokens", &none).unwrap();
        assert!(matches!(counted.operation, Operation::CountTokens(_)));
        let refused = route(&Method::GET, "/v1/models/m:generateContent", &none).unwrap_err();
        assert_eq!(refused.to_error().status(refused.dialect()), 405);
        let refused = route(&Method::POST, "/v1beta/cachedContents", &none).unwrap_err();
        assert_eq!(refused.dialect(), Dialect::Gemini);
    }

    #[test]
    fn models_of_gemini_are_known_by_the_version_or_by_a_header() {
        let none = HeaderMap::new();
        let listed = route(&Method::GET, "/v1beta/models", &none).unwrap();
        assert_eq!(listed.dialect, Dialect::Gemini);
        assert_eq!(listed.operation, Operation::ListModels);
        let shown = route(&Method::GET, "/v1beta/models/org/m:1", &none).unwrap();
        assert_eq!(shown.operation, Operation::ShowModel("org/m:1".into()));
        for name in ["x-goog-api-key", "x-goog-api-client"] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static("x"),
            )]);
            let listed = route(&Method::GET, "/v1/models", &headers).unwrap();
            assert_eq!(listed.dialect, Dialect::Gemini, "{name}");
            let chat = route(&Method::POST, "/v1/chat/completions", &headers).unwrap();
            assert_eq!(chat.dialect, Dialect::OpenAiChat, "{name}");
        }
    }

    #[test]
    fn wrong_method_is_405_and_says_which() {
        let refused = route(&Method::GET, "/v1/messages", &HeaderMap::new()).unwrap_err();
        assert_eq!(refused.dialect(), Dialect::AnthropicMessages);
        assert!(matches!(
            refused,
            RouteError::MethodNotAllowed { allow: "POST", .. }
        ));
        assert_eq!(refused.to_error().status(Dialect::AnthropicMessages), 405);
    }

    #[test]
    fn responses_that_nobody_kept_are_404_and_say_what_to_do() {
        let none = HeaderMap::new();
        let asked = route(&Method::POST, "/v1/responses", &none).unwrap();
        assert_eq!(asked.dialect, Dialect::OpenAiResponses);
        let counted = route(&Method::POST, "/v1/responses/input_tokens", &none).unwrap();
        assert_eq!(counted.operation, Operation::CountTokens(Call::default()));
        for method in [Method::GET, Method::DELETE] {
            let refused = route(&method, "/v1/responses/resp_1", &none).unwrap_err();
            let error = refused.to_error();
            assert_eq!(error.status(refused.dialect()), 404);
            assert!(error.message().contains("`input`"));
        }
    }

    #[test]
    fn ollamas_api_is_served_as_far_as_a_gateway_can() {
        let none = HeaderMap::new();
        for (method, path, expected) in [
            (
                Method::POST,
                "/api/chat",
                Operation::Generate(Call::default()),
            ),
            (Method::GET, "/api/tags", Operation::ListModels),
            (Method::POST, "/api/show", Operation::ShowModelOfBody),
            (Method::GET, "/api/version", Operation::Version),
        ] {
            let found = route(&method, path, &none).unwrap();
            assert_eq!(found.operation, expected);
            assert_eq!(found.dialect, Dialect::OllamaChat);
        }
        for path in ["/api/generate", "/api/pull", "/api/embed", "/api/"] {
            let refused = route(&Method::POST, path, &none).unwrap_err();
            let error = refused.to_error();
            assert_eq!(error.status(refused.dialect()), 404);
            let body = error.body(refused.dialect());
            assert!(body.starts_with(b"{\"error\":\"not served; of Ollama's"));
        }
    }

    #[test]
    fn unknown_path_is_404_in_the_clients_dialect() {
        let none = HeaderMap::new();
        for path in ["/", "/v1", "/v1/messagesx", "/v1/models/", "/v1/embedding"] {
            let refused = route(&Method::POST, path, &none).unwrap_err();
            assert_eq!(
                refused,
                RouteError::NotFound {
                    dialect: Dialect::OpenAiChat
                },
                "{path}"
            );
        }
        let refused = route(&Method::POST, "/v1/messages/batches", &none).unwrap_err();
        assert_eq!(refused.dialect(), Dialect::AnthropicMessages);
    }
}
