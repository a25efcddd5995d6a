//! Who calls: keys against the client table, or tokens against those who issue them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use agentkube_plan::{ClientAuth, ClientTable, KeyHash};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use super::tokens::{BadToken, Tokens};

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

/// Why a caller is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No header carries a key.
    #[error("no API key: send it as \"Authorization: Bearer <key>\" or \"x-api-key: <key>\"")]
    Missing,
    /// The key is in no client's entry.
    #[error("the API key is not known here")]
    Unknown,
    /// No header carries a token.
    #[error(
        "no token: send the one of your ServiceAccount as \"Authorization: Bearer <token>\", \
         read anew from its file"
    )]
    NoToken,
    /// What a header carries is no token that is believed.
    #[error("the token is not accepted: {0}")]
    Token(BadToken),
    /// A good token of a namespace whose callers are not admitted.
    #[error("ServiceAccounts of that namespace may not call this: see its allowedNamespaces")]
    NotAdmitted,
}

impl Unauthenticated {
    /// True when it is known who calls, and that is why (403); else it is not (401).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        *self == Self::NotAdmitted
    }
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
    Tokens(Arc<Tokens>),
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
        // A table that is of the other mode still, or was not read yet, lets nobody in.
        let clients = match (auth, &table.tokens) {
            (ClientAuth::ServiceAccount, Some(trust)) => {
                let tokens = Arc::new(Tokens::new(trust.clone()));
                return Self {
                    admits: Admits::Tokens(tokens),
                };
            }
            (ClientAuth::ServiceAccount, None) => &[][..],
            _ => &table.clients[..],
        };
        for client in clients {
            let name: Arc<str> = client.name.as_str().into();
            for key in &client.keys {
                keys.insert(*key.as_bytes(), Arc::clone(&name));
            }
        }
        Self {
            admits: Admits::Keys(keys),
        }
    }

    /// True when the client is let in here by what lets it in there.
    #[must_use]
    pub fn is_same_for(&self, client: &str, other: &Self) -> bool {
        match (&self.admits, &other.admits) {
            (Admits::Anybody, Admits::Anybody) => true,
            (Admits::Keys(ours), Admits::Keys(theirs)) => {
                let of = |keys: &HashMap<[u8; 32], Arc<str>>| -> HashSet<[u8; 32]> {
                    let own = keys.iter().filter(|(_, name)| &***name == client);
                    own.map(|(key, _)| *key).collect()
                };
                of(ours) == of(theirs)
            }
            (Admits::Tokens(ours), Admits::Tokens(theirs)) => ours.trusts_as(theirs),
            _ => false,
        }
    }

    /// The client whose key or token these headers carry.
    ///
    /// When several headers carry keys, the first known one counts: SDKs send a
    /// configured key in one and a placeholder in another.
    ///
    /// # Errors
    /// When no header carries a key, or none is known; the same of tokens, and when the
    /// caller's namespace is not admitted.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Client, Unauthenticated> {
        let keys = match &self.admits {
            Admits::Anybody => return Ok(Client::Anonymous),
            Admits::Keys(keys) => keys,
            Admits::Tokens(tokens) => return by_token(tokens, headers),
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

fn by_token(tokens: &Tokens, headers: &HeaderMap) -> Result<Client, Unauthenticated> {
    let mut refusal = Unauthenticated::NoToken;
    for token in presented_keys(headers) {
        match tokens.verify(token) {
            Ok(caller) if caller.admitted => return Ok(Client::Named(caller.name)),
            Ok(_) => return Err(Unauthenticated::NotAdmitted),
            Err(bad) => refusal = Unauthenticated::Token(bad),
        }
    }
    Err(refusal)
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
