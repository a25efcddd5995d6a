//! What an upstream is told about us, and how its value is kept out of answers.

use std::borrow::Cow;
use std::fmt;

use agentkube_mcp::json;
use agentkube_plan::{SecretEntry, UpstreamAuth};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::UpstreamError;
use crate::source::Secrets;

/// Shorter values occur in ordinary text, and replacing them would only spoil it.
const MIN_REDACTED: usize = 8;

/// A credential that was read, or why there is none.
#[derive(Clone)]
pub(super) enum Credential {
    /// The upstream wants none.
    None,
    /// A bearer token.
    Bearer {
        header: HeaderValue,
        /// The token as it stands inside a JSON string, when it can be found there.
        needle: Option<SecretString>,
    },
    /// The Secret or its entry is not there.
    Missing(SecretEntry),
    /// It is there and of no use.
    Unusable(SecretEntry),
}

impl Credential {
    pub(super) fn new(auth: &UpstreamAuth, secrets: &Secrets) -> Self {
        let UpstreamAuth::Bearer { secret } = auth else {
            return Self::None;
        };
        let Some(value) = secrets.get(secret) else {
            return Self::Missing(secret.clone());
        };
        let Some(header) = value.header("Bearer ") else {
            return Self::Unusable(secret.clone());
        };
        let token = std::str::from_utf8(value.expose()).ok();
        let needle = token
            .filter(|token| token.len() >= MIN_REDACTED)
            .map(|token| {
                let quoted = json::quote(token);
                SecretString::from(quoted.trim_matches('"').to_owned())
            });
        Self::Bearer { header, needle }
    }

    /// The `Authorization` header.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, UpstreamError> {
        match self {
            Self::None => Ok(None),
            Self::Bearer { header, .. } => Ok(Some(header.clone())),
            Self::Missing(entry) => Err(UpstreamError::MissingSecret(entry.clone())),
            Self::Unusable(entry) => Err(UpstreamError::UnusableSecret(entry.clone())),
        }
    }

    /// A message without the value, should the upstream have echoed it.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self {
            Self::Bearer {
                needle: Some(needle),
                ..
            } => match json::redact(&text, needle.expose_secret()) {
                Some(redacted) => Cow::Owned(redacted),
                None => text,
            },
            _ => text,
        }
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bearer { header: a, .. }, Self::Bearer { header: b, .. }) => a == b,
            (Self::Missing(a), Self::Missing(b)) | (Self::Unusable(a), Self::Unusable(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer { .. } => "Bearer(…)",
            Self::Missing(_) => "Missing",
            Self::Unusable(_) => "Unusable",
        })
    }
}
