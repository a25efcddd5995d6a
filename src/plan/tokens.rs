//! Whose service account tokens a data plane believes, so that it can tell who calls
//! without asking anybody.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What verifies the tokens of callers (`auth.mode: serviceAccount`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenTrust {
    /// The `iss` that a token must have: the cluster's service account issuer.
    pub issuer: String,
    /// The `aud` that a token must have: this object's own.
    pub audience: String,
    /// Whose ServiceAccounts are admitted.
    pub namespaces: Namespaces,
    /// The public keys that the cluster signs with, newest and older ones.
    pub keys: Vec<TokenKey>,
}

/// Namespaces, resolved from `spec.allowedNamespaces`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Namespaces {
    /// Every one.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Namespaces {
    /// Whether the namespace is among them.
    #[must_use]
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }
}

/// A public key as JSON (RFC 7517; RFC 7518, 6.2 and 6.3), of the kinds that API
/// servers sign with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum TokenKey {
    /// Signs with RS256.
    #[serde(rename = "RSA")]
    Rsa {
        /// Name of the key; a token's header says which one signed it.
        kid: String,
        /// Modulus, base64url.
        n: String,
        /// Exponent, base64url.
        e: String,
    },
    /// Signs with ES256 or ES384, as the curve says.
    #[serde(rename = "EC")]
    Ec {
        /// Name of the key; a token's header says which one signed it.
        kid: String,
        /// `P-256` or `P-384`.
        crv: String,
        /// Coordinate, base64url.
        x: String,
        /// Coordinate, base64url.
        y: String,
    },
}

impl TokenKey {
    /// Name of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        match self {
            Self::Rsa { kid, .. } | Self::Ec { kid, .. } => kid,
        }
    }
}
