//! The wires a client may speak.

/// The wire that a client speaks, or that a provider expects.
///
/// When both are the same, bytes pass untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Anthropic Messages, `POST /v1/messages`.
    AnthropicMessages,
    /// OpenAI chat completions, `POST /v1/chat/completions`.
    OpenAiChat,
}

impl Dialect {
    /// A short stable name for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::OpenAiChat => "openai-chat",
        }
    }

    /// The name as messages to people write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "Anthropic Messages",
            Self::OpenAiChat => "OpenAI chat completions",
        }
    }

    /// The path at which the gateway serves it.
    #[must_use]
    pub fn client_path(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "/v1/messages",
            Self::OpenAiChat => "/v1/chat/completions",
        }
    }
}
