//! Who may call a data plane: the table of client key hashes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::TokenTrust;

/// How callers prove who they are (`spec.auth.mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientAuth {
    /// Anybody may call; every caller is one client.
    None,
    /// A key from the client table.
    #[default]
    Apikey,
    /// A projected token of a ServiceAccount, for this object's audience.
    ServiceAccount,
}

/// Contents of `clients.json`. Order is by client name, so that equal tables
/// have equal bytes. With `auth.mode: apikey` it has clients, with `serviceAccount`
/// what verifies tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientTable {
    /// The clients, sorted by name.
    pub clients: Vec<ClientEntry>,
    /// Whose tokens are believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenTrust>,
}

/// One client and the keys it may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientEntry {
    /// `namespace/serviceaccount`, or the name of a client Secret.
    pub name: String,
    /// The current key and, during a rotation, the previous one.
    pub keys: Vec<KeyHash>,
}

/// SHA-256 of a client key, as 64 hex digits.
///
/// A plain hash is enough: keys are random and at least 16 characters, so there
/// is no dictionary to try, and a slow hash on every request would let anybody
/// exhaust the gateway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a presented or minted key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", hex::encode(&self.0[..4]))
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        hex::encode(hash.0)
    }
}

/// A key hash that is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHashError;

impl fmt::Display for KeyHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key hash is 64 hex digits (SHA-256 of the key)")
    }
}

impl std::error::Error for KeyHashError {}

impl TryFrom<String> for KeyHash {
    type Error = KeyHashError;

    fn try_from(text: String) -> Result<Self, KeyHashError> {
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash).map_err(|_| KeyHashError)?;
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_the_round_trip() {
        let table = ClientTable {
            clients: vec![ClientEntry {
                name: "team-a/reviewer".to_owned(),
                keys: vec![KeyHash::of(b"one-key-of-16-or-more")],
            }],
            tokens: None,
        };
        let text = serde_json::to_string(&table).unwrap();
        assert!(!text.contains("one-key"), "the key itself is never written");
        assert_eq!(serde_json::from_str::<ClientTable>(&text).unwrap(), table);
    }

    #[test]
    fn a_short_hash_is_refused() {
        assert_eq!(KeyHash::try_from("abcd".to_owned()), Err(KeyHashError));
    }
}
