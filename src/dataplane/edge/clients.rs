//! Who calls: keys against the client table.

use std::collections::HashMap;
use std::sync::Arc;

use agentkube_plan::{ClientAuth, ClientTable, KeyHash};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

/// Headers that carry a bare key, in the order in which they are read.
static KEY_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    // AWS's SDKs send no bearer without TLS, but always AWS_SESSION_TOKEN.
    HeaderName::from_static("x-amz-security-token"),
];

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// `auth.mode: none`: every caller is one client.
    Anonymous,
    /// A client of the table.
    Named(Arc<str>),
}

impl Client {
    /// The client's name; `anonymous` without one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Named(name) => name,
        }
    }
}

/// Why a request is refused with 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No header carries a key.
    #[error("no API key: send it as \"Authorization: Bearer <key>\" or \"x-api-key: <key>\"")]
    Missing,
    /// The key is in no client's entry.
    #[error("the API key is not known here")]
    Unknown,
}

/// The clients that a plane admits.
#[derive(Clone, Debug)]
pub struct ClientRegistry {
    admits: Admits,
}

#[derive(Clone, Debug)]
enum Admits {
    Anybody,
    // Keyed by the hash, so a lookup compares no key of ours with what a caller
    // chose byte by byte: to aim at a bucket one must invert SHA-256.
    Keys(HashMap<[u8; 32], Arc<str>>),
}

impl ClientRegistry {
    /// Everybody, as one client.
    #[must_use]
    pub fn anybody() -> Self {
        Self {
            admits: Admits::Anybody,
        }
    }

    /// The clients of a table; with `auth.mode: none` the table does not matter.
    #[must_use]
    pub fn new(auth: ClientAuth, table: &ClientTable) -> Self {
        if auth == ClientAuth::None {
            return Self::anybody();
        }
        let mut keys = HashMap::new();
        for client in &table.clients {
            let name: Arc<str> = client.name.as_str().into();
            for key in &client.keys {
                keys.insert(*key.as_bytes(), Arc::clone(&name));
            }
        }
        Self {
            admits: Admits::Keys(keys),
        }
    }

    /// The client whose key these headers carry.
    ///
    /// When several headers carry keys, the first known one counts: SDKs send a
    /// configured key in one and a placeholder in another.
    ///
    /// # Errors
    /// When no header carries a key, or none is known.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Client, Unauthenticated> {
        let keys = match &self.admits {
            Admits::Anybody => return Ok(Client::Anonymous),
            Admits::Keys(keys) => keys,
        };
        let mut refusal = Unauthenticated::Missing;
        for key in presented_keys(headers) {
            let hash = KeyHash::of(key);
            if let Some((known, name)) = keys.get_key_value(hash.as_bytes())
                && bool::from(known.ct_eq(hash.as_bytes()))
            {
                return Ok(Client::Named(Arc::clone(name)));
            }
            refusal = Unauthenticated::Unknown;
        }
        Err(refusal)
    }
}

/// The first key that the headers carry.
#[must_use]
pub fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    presented_keys(headers).next()
}

fn presented_keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| bearer(value.as_bytes()));
    let bare = KEY_HEADERS
        .iter()
        .filter_map(|name| headers.get(name).map(|value| value.as_bytes().trim_ascii()));
    bearer.into_iter().chain(bare).filter(|key| !key.is_empty())
}

// RFC 9110, 11.1: the scheme is case-insensitive.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}
