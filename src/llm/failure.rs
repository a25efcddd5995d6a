//! What went wrong at a provider, in terms that routing can act on.

use std::fmt;
use std::time::Duration;

use crate::{ApiError, ErrorKind, overflow};

/// A provider refused or broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do about it.
    pub kind: FailureKind,
    /// The provider's own word for it (`insufficient_quota`,
    /// `overloaded_error`), at most 64 characters of `[A-Za-z0-9_.-]`.
    pub code: Option<String>,
    /// The provider's message. May quote the prompt: for the client only.
    pub message: Option<ProviderMessage>,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that only has a kind and a word.
    #[must_use]
    pub fn new(kind: FailureKind, code: &str) -> Self {
        Self {
            kind,
            code: Some(code.to_owned()),
            message: None,
            retry_after: None,
        }
    }

    /// True when the provider does not take the thoughts that it was given back: they
    /// are of another model or account, or something before them has changed.
    /// <https://platform.claude.com/docs/en/build-with-claude/preserved-thinking>
    #[must_use]
    pub fn refuses_thoughts(&self) -> bool {
        let said = self.message.as_ref().map(ProviderMessage::for_client);
        let said = said.unwrap_or_default().to_ascii_lowercase();
        let thoughts = said.contains("thinking") || said.contains("thought");
        let about = ["signature", "redacted_thinking"];
        self.kind == FailureKind::BadRequest && thoughts && about.iter().any(|it| said.contains(it))
    }

    /// The same for a client of another dialect. Its own fault it reads in the
    /// provider's words; what is between the gateway and the provider is not its
    /// business, and may quote keys.
    #[must_use]
    pub fn to_error(&self) -> ApiError {
        let is_too_large = self.code.as_deref() == Some("request_too_large");
        let (kind, summary) = match self.kind {
            FailureKind::BadRequest if is_too_large => (
                ErrorKind::TooLarge,
                "the request is too large for the provider",
            ),
            FailureKind::BadRequest => (
                ErrorKind::InvalidRequest,
                "the provider refused the request",
            ),
            FailureKind::Credentials => (
                ErrorKind::BadUpstream,
                "the provider refused the gateway's credentials",
            ),
            FailureKind::NotFound => (
                ErrorKind::ModelNotFound,
                "the provider does not know the model",
            ),
            FailureKind::Overloaded => (ErrorKind::Overloaded, "the provider is overloaded"),
            FailureKind::Quota => (ErrorKind::Quota, "the provider's account has no quota left"),
            FailureKind::RateLimited => (
                ErrorKind::RateLimited,
                "the provider's rate limit is reached",
            ),
            FailureKind::ServerError => (ErrorKind::BadUpstream, "the provider failed"),
            FailureKind::Timeout => (ErrorKind::Timeout, "the provider ran out of time"),
        };
        let told = match self.kind {
            FailureKind::Credentials | FailureKind::Quota => None,
            FailureKind::BadRequest
            | FailureKind::NotFound
            | FailureKind::Overloaded
            | FailureKind::RateLimited
            | FailureKind::ServerError
            | FailureKind::Timeout => self.message.as_ref(),
        };
        let error = match told.map(ProviderMessage::for_client) {
            Some(message) if !message.is_empty() => ApiError::new(kind, message),
            _ => ApiError::new(kind, summary),
        };
        if self.overflows() {
            return error.code(overflow::CODE);
        }
        error
    }
}

/// The kinds that routing tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The request is wrong: no other attempt will help.
    BadRequest,
    /// The provider refused our key, or what it may do.
    Credentials,
    /// The provider does not know the model (or the path).
    NotFound,
    /// The provider has no capacity (529, 503, or its event of that name).
    Overloaded,
    /// The account has nothing left: waiting does not help.
    Quota,
    /// Too many requests or tokens: waiting helps.
    RateLimited,
    /// Another failure of the provider, or an answer that is none.
    ServerError,
    /// The provider says that it ran out of time.
    Timeout,
}

impl FailureKind {
    /// A short stable name for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
        }
    }
}

/// Text of a provider. Providers quote prompts and parts of keys in it, so
/// `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderMessage(String);

impl ProviderMessage {
    /// Longer texts are cut: bytes.
    const LIMIT: usize = 2048;

    pub(crate) fn new(text: &str) -> Self {
        let end = text.floor_char_boundary(Self::LIMIT);
        Self(text.get(..end).unwrap_or_default().to_owned())
    }

    /// The text, to be shown to the client and to nobody else.
    #[must_use]
    pub fn for_client(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProviderMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderMessage({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_thoughts_is_told_from_others() {
        let says = |kind, message: &str| {
            let mut failure = Failure::new(kind, "invalid_request_error");
            failure.message = Some(ProviderMessage::new(message));
            failure.refuses_thoughts()
        };
        for message in [
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "messages.3.content.0: Invalid `signature` in `thinking` block. The block is bound to \
             a different conversation.",
            "messages.1.content.0.thinking.signature: Field required",
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found \
             `tool_use`",
            "Function call is missing a thought_signature in functionCall parts.",
            "Corrupted thought signature.",
        ] {
            assert!(says(FailureKind::BadRequest, message), "{message}");
            assert!(!says(FailureKind::ServerError, message), "{message}");
        }
        for message in [
            "thinking.budget_tokens: Input should be greater than 1024",
            "The request signature we calculated does not match",
        ] {
            assert!(!says(FailureKind::BadRequest, message), "{message}");
        }
    }
}
