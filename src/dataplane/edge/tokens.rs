//! Who calls: service account tokens, verified without asking the cluster.
//!
//! A token is a JWT of the cluster's issuer for one audience (Kubernetes,
//! "Bound service account tokens"); its subject is the ServiceAccount. What was
//! verified once is remembered by its hash until it expires, so that a call costs
//! a hash and not a signature.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_plan::{KeyHash, TokenKey, TokenTrust};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// Tokens that are remembered. They rotate once an hour, so that is some thousand Pods.
const REMEMBERED: usize = 8192;

/// What clocks may differ by, in seconds.
const LEEWAY: u64 = 10;

/// Larger ones are not looked at; what API servers issue has about one KiB.
const TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It has not the form of one.
    #[error("it is no service account token")]
    Malformed,
    /// Its key is not one of the cluster's, or the signature is not by that key.
    #[error("it is not signed by this cluster")]
    Signature,
    /// Another `iss`.
    #[error("it is of another issuer")]
    Issuer,
    /// It was issued for somebody else.
    #[error("it is for another audience; a token for {0:?} is wanted")]
    Audience(Arc<str>),
    /// It is too old.
    #[error("it has expired; read the file again before each call")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
}

/// A caller with a good token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// `namespace/serviceaccount`.
    pub(super) name: Arc<str>,
    /// Whether its namespace is admitted.
    pub(super) admitted: bool,
}

/// Verifies tokens.
pub(super) struct Tokens {
    keys: HashMap<String, (DecodingKey, Algorithm)>,
    trust: TokenTrust,
    audience: Arc<str>,
    known: Mutex<HashMap<KeyHash, Known>>,
}

struct Known {
    caller: Caller,
    /// Seconds since the epoch.
    until: u64,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Tokens {
    /// True when the same tokens are believed.
    pub(super) fn trusts_as(&self, other: &Self) -> bool {
        self.trust == other.trust
    }

    pub(super) fn new(trust: TokenTrust) -> Self {
        let keys = trust.keys.iter();
        Self {
            keys: keys
                .filter_map(|key| Some((key.kid().to_owned(), usable(key)?)))
                .collect(),
            audience: trust.audience.as_str().into(),
            trust,
            known: Mutex::default(),
        }
    }

    /// The ServiceAccount whose token this is.
    pub(super) fn verify(&self, token: &[u8]) -> Result<Caller, BadToken> {
        if token.len() > TOKEN_BYTES {
            return Err(BadToken::Malformed);
        }
        let hash = KeyHash::of(token);
        let now = jsonwebtoken::get_current_timestamp();
        if let Some(caller) = self.recall(&hash, now) {
            return Ok(caller);
        }
        let claims = self.claims(token)?;
        let caller = self.caller(&claims.sub).ok_or(BadToken::Malformed)?;
        self.remember(hash, &caller, claims.exp.saturating_add(LEEWAY), now);
        Ok(caller)
    }

    fn claims(&self, token: &[u8]) -> Result<Claims, BadToken> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| BadToken::Malformed)?;
        let kid = header.kid.unwrap_or_default();
        let (key, algorithm) = self.keys.get(&kid).ok_or(BadToken::Signature)?;
        // The key says how it signs; what the token says does not matter.
        let mut wanted = Validation::new(*algorithm);
        wanted.set_audience(&[&self.trust.audience]);
        wanted.set_issuer(&[&self.trust.issuer]);
        wanted.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        wanted.validate_nbf = true;
        wanted.leeway = LEEWAY;
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &wanted);
        decoded
            .map(|it| it.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => BadToken::Expired,
                ErrorKind::ImmatureSignature => BadToken::Early,
                ErrorKind::InvalidAudience => BadToken::Audience(Arc::clone(&self.audience)),
                ErrorKind::InvalidIssuer => BadToken::Issuer,
                ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => BadToken::Signature,
                _ => BadToken::Malformed,
            })
    }

    /// `system:serviceaccount:<namespace>:<name>`.
    fn caller(&self, subject: &str) -> Option<Caller> {
        let account = subject.strip_prefix("system:serviceaccount:")?;
        let (namespace, name) = account.split_once(':')?;
        if namespace.is_empty() || name.is_empty() {
            return None;
        }
        Some(Caller {
            name: format!("{namespace}/{name}").into(),
            admitted: self.trust.namespaces.has(namespace),
        })
    }

    fn recall(&self, hash: &KeyHash, now: u64) -> Option<Caller> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(hash).filter(|it| now < it.until)?;
        Some(found.caller.clone())
    }

    fn remember(&self, hash: KeyHash, caller: &Caller, until: u64, now: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, it| now < it.until);
        }
        // All are in use: start anew, since which one is needed next is not known.
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let caller = caller.clone();
        known.insert(hash, Known { caller, until });
    }
}

// Neither what was presented nor who presented it belongs into a log.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// `None` for a key of a kind that is not known here: its tokens are then signed by nobody.
fn usable(key: &TokenKey) -> Option<(DecodingKey, Algorithm)> {
    match key {
        TokenKey::Rsa { n, e, .. } => {
            let key = DecodingKey::from_rsa_components(n, e).ok()?;
            Some((key, Algorithm::RS256))
        }
        TokenKey::Ec { crv, x, y, .. } => {
            let algorithm = match crv.as_str() {
                "P-256" => Algorithm::ES256,
                "P-384" => Algorithm::ES384,
                _ => return None,
            };
            Some((DecodingKey::from_ec_components(x, y).ok()?, algorithm))
        }
    }
}

#[cfg(test)]
mod tests;
