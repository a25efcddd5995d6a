//! The wires a client may speak.

use crate::codec::{self, Framing};

/// The wire that a client speaks, or that a provider expects.
///
/// When both are the same, bytes pass untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Anthropic Messages, `POST /v1/messages`.
    AnthropicMessages,
    /// Bedrock Converse, `POST /model/{modelId}/converse` and `…/converse-stream`.
    BedrockConverse,
    /// Gemini, `POST /v1beta/models/{model}:generateContent` and
    /// `…:streamGenerateContent`.
    Gemini,
    /// Ollama's own chat, `POST /api/chat`.
    OllamaChat,
    /// OpenAI chat completions, `POST /v1/chat/completions`.
    OpenAiChat,
    /// OpenAI Responses, `POST /v1/responses`.
    OpenAiResponses,
}

impl Dialect {
    /// All of them, in the order of the enum.
    pub const ALL: &'static [Self] = &[
        Self::AnthropicMessages,
        Self::BedrockConverse,
        Self::Gemini,
        Self::OllamaChat,
        Self::OpenAiChat,
        Self::OpenAiResponses,
    ];

    /// A short stable name for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::BedrockConverse => "bedrock-converse",
            Self::Gemini => "gemini",
            Self::OllamaChat => "ollama-chat",
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
        }
    }

    /// The label of requests for answers in metrics.
    #[must_use]
    pub fn route_label(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "messages",
            Self::BedrockConverse => "converse",
            Self::Gemini => "generate_content",
            Self::OllamaChat => "api_chat",
            Self::OpenAiChat => "chat_completions",
            Self::OpenAiResponses => "responses",
        }
    }

    /// The name as messages to people write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "Anthropic Messages",
            Self::BedrockConverse => "Bedrock Converse",
            Self::Gemini => "Gemini",
            Self::OllamaChat => "Ollama chat",
            Self::OpenAiChat => "OpenAI chat completions",
            Self::OpenAiResponses => "OpenAI Responses",
        }
    }

    /// Whether a request that does not say so asks for a stream.
    #[must_use]
    pub fn streams_unasked(self) -> bool {
        self == Self::OllamaChat
    }

    /// The content type of a streamed answer to a client.
    #[must_use]
    pub fn stream_content_type(self) -> &'static str {
        codec::client(self).stream_content_type()
    }

    /// How a provider frames the events of a streamed answer.
    #[must_use]
    pub fn framing(self) -> Framing {
        codec::provider(self).framing()
    }

    /// The path at which the gateway serves it.
    #[must_use]
    pub fn client_path(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "/v1/messages",
            Self::BedrockConverse => "/model/{modelId}/converse",
            Self::Gemini => "/v1beta/models/{model}:generateContent",
            Self::OllamaChat => "/api/chat",
            Self::OpenAiChat => "/v1/chat/completions",
            Self::OpenAiResponses => "/v1/responses",
        }
    }
}
