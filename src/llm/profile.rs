//! What differs between providers of one dialect, as data.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::{Dialect, StreamUsage};

/// How a provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The wire it speaks.
    pub dialect: Dialect,
    /// What is appended to its base URL (`https://api.openai.com/v1`,
    /// `https://api.anthropic.com`) for an answer of a model.
    pub generate_path: &'static str,
    /// How it wants its key.
    pub key_header: KeyHeader,
    /// Whether it must be asked for usage in streams.
    pub stream_usage: StreamUsage,
    /// Headers that it insists on, sent when the client sent none of that
    /// name.
    pub default_headers: &'static [(&'static str, &'static str)],
}

/// Where a provider expects its API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
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

const OPENAI: Profile = Profile {
    dialect: Dialect::OpenAiChat,
    generate_path: "/chat/completions",
    key_header: KeyHeader::Bearer,
    stream_usage: StreamUsage::Ask,
    default_headers: &[],
};

const ANTHROPIC: Profile = Profile {
    dialect: Dialect::AnthropicMessages,
    generate_path: "/v1/messages",
    key_header: KeyHeader::XApiKey,
    stream_usage: StreamUsage::Leave,
    default_headers: &[("anthropic-version", "2023-06-01")],
};

impl Profile {
    /// The profile of a provider by its name in specs: `openai`, `anthropic`,
    /// `ollama`, `vllm`.
    #[must_use]
    pub fn of(provider: &str) -> Option<&'static Self> {
        match provider {
            "openai" | "ollama" | "vllm" => Some(&OPENAI),
            "anthropic" => Some(&ANTHROPIC),
            _ => None,
        }
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
        let as_bearer = self == Self::Bearer || key.starts_with("sk-ant-oat");
        let (name, value) = if as_bearer {
            (
                AUTHORIZATION,
                HeaderValue::try_from(format!("Bearer {key}")),
            )
        } else {
            (
                HeaderName::from_static("x-api-key"),
                HeaderValue::from_str(key),
            )
        };
        let mut value = value.map_err(|_| InvalidKey::Unprintable)?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_travel_where_the_provider_looks() {
        let (name, value) = KeyHeader::Bearer.header("sk-1\n").unwrap();
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("authorization", "Bearer sk-1")
        );
        assert!(value.is_sensitive());
        let (name, value) = KeyHeader::XApiKey.header("sk-ant-api03-1").unwrap();
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("x-api-key", "sk-ant-api03-1")
        );
        assert!(value.is_sensitive());
    }

    #[test]
    fn oauth_tokens_of_anthropic_are_bearers() {
        let (name, value) = KeyHeader::XApiKey.header("sk-ant-oat01-1").unwrap();
        assert_eq!(name, AUTHORIZATION);
        assert_eq!(value.to_str().unwrap(), "Bearer sk-ant-oat01-1");
    }

    #[test]
    fn unusable_keys_are_refused_without_being_quoted() {
        assert_eq!(KeyHeader::Bearer.header(" \n"), Err(InvalidKey::Empty));
        for key in ["a\r\nx-evil: 1", "schlüssel", "a b"] {
            assert_eq!(KeyHeader::XApiKey.header(key), Err(InvalidKey::Unprintable));
        }
        assert!(!InvalidKey::Unprintable.to_string().contains("evil"));
    }

    #[test]
    fn every_provider_of_today_has_a_profile() {
        for name in ["openai", "ollama", "vllm"] {
            assert_eq!(Profile::of(name).unwrap().dialect, Dialect::OpenAiChat);
        }
        assert_eq!(
            Profile::of("anthropic").unwrap().dialect,
            Dialect::AnthropicMessages
        );
        assert_eq!(Profile::of("bedrock"), None);
    }
}
