//! What differs between providers, as data.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::capabilities::matches;
use crate::embed::EmbedForm;
use crate::path::{InvalidSegment, segment};
use crate::{Dialect, StreamUsage};

/// How a provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The wires it speaks, the preferred one first. Never empty.
    services: &'static [Service],
    /// How it wants its key.
    pub key_header: KeyHeader,
    /// Where it takes OpenAI's embeddings, from its base URL.
    pub embeddings: Option<&'static str>,
}

/// One wire of a provider. Paths are appended to its base URL
/// (`https://api.openai.com/v1`, `https://api.anthropic.com`); `{model}` in one is
/// the model's name as one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The wire.
    pub dialect: Dialect,
    /// The models that are called by it.
    models: Models,
    /// Of those, the ones for which clients of other wires are brought to it.
    by_choice: Models,
    /// An answer in one piece.
    generate: &'static str,
    /// An answer in a stream.
    stream: &'static str,
    /// The tokens of a request, where that can be asked.
    count_tokens: Option<&'static str>,
    /// Paths begin beside the version of the base URL, `/v1`, not below it.
    beside_version: bool,
    /// Whether the model is a member of the body.
    pub model_in: ModelIn,
    /// A member that the body must have: its key and value, as JSON.
    pub body_member: Option<(&'static str, &'static str)>,
    /// Whether the client's query goes along.
    pub client_query: bool,
    /// Whether it must be asked for usage in streams.
    pub stream_usage: StreamUsage,
    /// Headers that it insists on, sent when the client sent none of that
    /// name.
    pub default_headers: &'static [(&'static str, &'static str)],
}

/// Which models of a provider a wire is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Models {
    All,
    /// All but those that these globs match.
    AllBut(&'static [&'static str]),
    /// Those whose names begin so.
    Prefix(&'static str),
}

/// Where a wire names the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelIn {
    /// In the member `model`.
    Body,
    /// In the path, and nowhere else.
    Path,
}

/// What is asked of a provider in a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// How many tokens a request has.
    CountTokens,
    /// Vectors for texts: see `embed::EmbedService`, whatever the wire.
    Embed(EmbedForm),
    /// An answer in one piece.
    Generate,
    /// An answer in a stream.
    Stream,
}

/// Where a provider expects its API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `api-key: …`
    ApiKey,
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`, except for OAuth tokens (`sk-ant-oat…`), which go as a
    /// bearer.
    XApiKey,
}

/// An API key that no header can carry. Says nothing about the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing but white space.
    #[error("the key is empty")]
    Empty,
    /// Control or non-ASCII characters.
    #[error("the key has characters that a header cannot carry")]
    Unprintable,
}

const CHAT: Service = Service {
    dialect: Dialect::OpenAiChat,
    models: Models::All,
    by_choice: Models::All,
    generate: "/chat/completions",
    stream: "/chat/completions",
    count_tokens: None,
    beside_version: false,
    model_in: ModelIn::Body,
    body_member: None,
    client_query: true,
    stream_usage: StreamUsage::Ask,
    default_headers: &[],
};

const MESSAGES: Service = Service {
    dialect: Dialect::AnthropicMessages,
    models: Models::All,
    by_choice: Models::All,
    generate: "/v1/messages",
    stream: "/v1/messages",
    count_tokens: Some("/v1/messages/count_tokens"),
    beside_version: false,
    model_in: ModelIn::Body,
    body_member: None,
    client_query: true,
    stream_usage: StreamUsage::Leave,
    default_headers: &[("anthropic-version", "2023-06-01")],
};

/// `https://bedrock-runtime.{region}.amazonaws.com`.
const CONVERSE: Service = Service {
    dialect: Dialect::BedrockConverse,
    models: Models::All,
    by_choice: Models::All,
    generate: "/model/{model}/converse",
    stream: "/model/{model}/converse-stream",
    count_tokens: Some("/model/{model}/count-tokens"),
    beside_version: false,
    model_in: ModelIn::Path,
    body_member: None,
    client_query: false,
    stream_usage: StreamUsage::Leave,
    default_headers: &[],
};

const RESPONSES: Service = Service {
    dialect: Dialect::OpenAiResponses,
    models: Models::All,
    by_choice: Models::All,
    generate: "/responses",
    stream: "/responses",
    count_tokens: None,
    beside_version: false,
    model_in: ModelIn::Body,
    body_member: None,
    client_query: true,
    stream_usage: StreamUsage::Leave,
    default_headers: &[],
};

/// Those of OpenAI itself, which also count.
const OPENAI_RESPONSES: Service = Service {
    count_tokens: Some("/responses/input_tokens"),
    ..RESPONSES
};

/// Messages beside OpenAI's wires, whose base URL ends in `/v1`.
const MESSAGES_AT_V1: Service = Service {
    generate: "/messages",
    stream: "/messages",
    count_tokens: None,
    ..MESSAGES
};

/// OpenAI's models that it serves by Responses only.
/// <https://platform.openai.com/docs/models>
const NO_CHAT: &[&str] = &[
    "codex-*",
    "computer-use-preview*",
    "gpt-5*-codex*",
    "gpt-5*-pro*",
    "o1-pro*",
    "o3-pro*",
    "o3-deep-research*",
    "o4-mini-deep-research*",
];

/// OpenAI's models that do not think while they have tools, asked by chat completions:
/// "Function tools with `reasoning_effort` are not supported … Please use /v1/responses".
const NO_TOOLS_IN_CHAT: &[&str] = &[
    "gpt-5.4*", "gpt-5.5*", "gpt-5.6*", "gpt-5.7*", "gpt-5.8*", "gpt-5.9*", "gpt-6*", "gpt-7*",
];

/// Beside OpenAI's wires, whose base URL ends in `/v1`.
const OLLAMA_CHAT: Service = Service {
    dialect: Dialect::OllamaChat,
    generate: "/api/chat",
    stream: "/api/chat",
    beside_version: true,
    ..RESPONSES
};

const OPENAI: Profile = Profile {
    services: &[
        Service {
            models: Models::AllBut(NO_CHAT),
            by_choice: Models::AllBut(NO_TOOLS_IN_CHAT),
            ..CHAT
        },
        OPENAI_RESPONSES,
    ],
    key_header: KeyHeader::Bearer,
    embeddings: Some("/embeddings"),
};

/// Its own API first, for what is translated: the others cannot say that a prompt must
/// not be cut where the context window is full, and pass over what they do not know.
const OLLAMA: Profile = Profile {
    services: &[OLLAMA_CHAT, CHAT, RESPONSES, MESSAGES_AT_V1],
    ..OPENAI
};

const VLLM: Profile = Profile {
    services: &[
        CHAT,
        RESPONSES,
        Service {
            count_tokens: Some("/messages/count_tokens"),
            ..MESSAGES_AT_V1
        },
    ],
    ..OPENAI
};

const AZURE_OPENAI: Profile = Profile {
    services: &[
        Service {
            by_choice: Models::AllBut(NO_TOOLS_IN_CHAT),
            ..CHAT
        },
        RESPONSES,
    ],
    key_header: KeyHeader::ApiKey,
    ..OPENAI
};

/// The API before `/openai/v1`: a deployment is a part of the path.
const AZURE_DEPLOYMENTS: Profile = Profile {
    services: &[
        Service {
            generate: "/deployments/{model}/chat/completions",
            stream: "/deployments/{model}/chat/completions",
            client_query: false,
            ..CHAT
        },
        Service {
            client_query: false,
            ..RESPONSES
        },
    ],
    embeddings: Some("/deployments/{model}/embeddings"),
    ..AZURE_OPENAI
};

/// Vertex AI, "Claude on Vertex AI": the version is in the body, the model in the
/// path.
const CLAUDE_ON_VERTEX: Service = Service {
    models: Models::Prefix("claude"),
    generate: "/publishers/anthropic/models/{model}:rawPredict",
    stream: "/publishers/anthropic/models/{model}:streamRawPredict",
    // The model is in the body of this one.
    count_tokens: Some("/publishers/anthropic/models/count-tokens:rawPredict"),
    model_in: ModelIn::Path,
    body_member: Some(("anthropic_version", "\"vertex-2023-10-16\"")),
    client_query: false,
    default_headers: &[],
    ..MESSAGES
};

/// `…/v1/projects/{project}/locations/{location}`. Without `alt=sse` a list would be
/// streamed. A query of the client's may hold its key.
const GEMINI_ON_VERTEX: Service = Service {
    dialect: Dialect::Gemini,
    models: Models::AllBut(&["claude*"]),
    by_choice: Models::All,
    generate: "/publishers/google/models/{model}:generateContent",
    stream: "/publishers/google/models/{model}:streamGenerateContent?alt=sse",
    count_tokens: Some("/publishers/google/models/{model}:countTokens"),
    beside_version: false,
    model_in: ModelIn::Path,
    body_member: None,
    client_query: false,
    stream_usage: StreamUsage::Leave,
    default_headers: &[],
};

const VERTEX: Profile = Profile {
    services: &[CLAUDE_ON_VERTEX, GEMINI_ON_VERTEX],
    key_header: KeyHeader::Bearer,
    embeddings: None,
};

const ANTHROPIC: Profile = Profile {
    services: &[MESSAGES],
    key_header: KeyHeader::XApiKey,
    embeddings: None,
};

const BEDROCK: Profile = Profile {
    services: &[CONVERSE],
    key_header: KeyHeader::Bearer,
    embeddings: None,
};

impl Profile {
    /// The profile of a provider by its name in specs: `openai`, `anthropic`,
    /// `azure-openai`, `bedrock`, `ollama`, `vertex`, `vllm`.
    #[must_use]
    pub fn of(provider: &str) -> Option<&'static Self> {
        match provider {
            "openai" => Some(&OPENAI),
            "ollama" => Some(&OLLAMA),
            "vllm" => Some(&VLLM),
            "anthropic" => Some(&ANTHROPIC),
            "bedrock" => Some(&BEDROCK),
            "azure-openai" => Some(&AZURE_OPENAI),
            "vertex" => Some(&VERTEX),
            _ => None,
        }
    }

    /// That of `azure-openai` where a version of its legacy API is wanted.
    #[must_use]
    pub fn azure_deployments() -> &'static Self {
        &AZURE_DEPLOYMENTS
    }

    /// The wires it speaks, the preferred one first.
    #[must_use]
    pub fn services(&self) -> &'static [Service] {
        self.services
    }

    /// The wire in which a client's request for a model goes: its own where the
    /// provider speaks it, so that the bytes pass; else the preferred one.
    #[must_use]
    pub fn service(&self, client: Dialect, model: &str) -> &'static Service {
        let takes = |service: &&Service| service.models.contains(model);
        let own = |service: &&Service| service.dialect == client && takes(service);
        let chosen = |service: &&Service| takes(service) && service.by_choice.contains(model);
        let services = self.services;
        services
            .iter()
            .find(own)
            .or_else(|| services.iter().find(chosen))
            .or_else(|| services.iter().find(takes))
            .unwrap_or(&CHAT)
    }
}

impl Profile {
    /// The wire that can be told how large the context window shall be; none where
    /// the provider decides.
    #[must_use]
    pub fn sizing(&self) -> Option<&'static Service> {
        let mut services = self.services.iter();
        services.find(|service| service.dialect == Dialect::OllamaChat)
    }

    /// The wire in which the tokens of a client's request are counted; none where the
    /// provider does not count.
    #[must_use]
    pub fn counting(&self, client: Dialect, model: &str) -> Option<&'static Service> {
        let takes =
            |service: &&Service| service.count_tokens.is_some() && service.models.contains(model);
        let mut own = self.services.iter().filter(takes);
        own.find(|service| service.dialect == client)
            .or_else(|| self.services.iter().find(takes))
    }
}

impl Models {
    fn contains(self, model: &str) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(globs) => !globs.iter().any(|glob| matches(glob, model)),
            Self::Prefix(prefix) => model.starts_with(prefix),
        }
    }
}

impl Service {
    /// What its paths are appended to, where this is the provider's base URL.
    #[must_use]
    pub fn base<'a>(&self, base: &'a str) -> &'a str {
        match base.strip_suffix("/v1") {
            Some(root) if self.beside_version => root,
            _ => base,
        }
    }

    /// What is appended to the base URL; none where the provider has no such
    /// action.
    ///
    /// # Errors
    /// When the model's name can be no segment of a path.
    pub fn path(
        &self,
        action: Action,
        model: &str,
    ) -> Result<Option<Cow<'static, str>>, InvalidSegment> {
        let Some(template) = self.template(action) else {
            return Ok(None);
        };
        if !template.contains("{model}") {
            return Ok(Some(Cow::Borrowed(template)));
        }
        let counted = action == Action::CountTokens && self.dialect == Dialect::BedrockConverse;
        let segment = segment(if counted { foundation(model) } else { model })?;
        Ok(Some(Cow::Owned(template.replace("{model}", &segment))))
    }

    /// The path with a `{model}` where the name goes.
    #[must_use]
    pub fn template(&self, action: Action) -> Option<&'static str> {
        match action {
            Action::CountTokens => self.count_tokens,
            Action::Embed(_) => None,
            Action::Generate => Some(self.generate),
            Action::Stream => Some(self.stream),
        }
    }
}

/// Bedrock counts the tokens of foundation models only: without the region of an
/// inference profile (`us.anthropic.…`).
fn foundation(model: &str) -> &str {
    const REGIONS: [&str; 9] = [
        "apac", "au", "ca", "eu", "global", "jp", "sa", "us", "us-gov",
    ];
    match model.split_once('.') {
        Some((region, rest)) if REGIONS.contains(&region) && rest.contains('.') => rest,
        _ => model,
    }
}

impl KeyHeader {
    /// The header that carries this key, marked sensitive. White space around
    /// the key, as files have it at their end, is cut off.
    ///
    /// # Errors
    /// When the key cannot be a header's value.
    pub fn header(self, key: &str) -> Result<(HeaderName, HeaderValue), InvalidKey> {
        let key = key.trim();
        if key.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKey::Unprintable);
        }
        let name = match self {
            Self::ApiKey => HeaderName::from_static("api-key"),
            Self::XApiKey if !key.starts_with("sk-ant-oat") => HeaderName::from_static("x-api-key"),
            Self::Bearer | Self::XApiKey => AUTHORIZATION,
        };
        let value = if name == AUTHORIZATION {
            HeaderValue::try_from(format!("Bearer {key}"))
        } else {
            HeaderValue::from_str(key)
        };
        let mut value = value.map_err(|_| InvalidKey::Unprintable)?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

#[cfg(test)]
mod tests;
