//! Credential values. They are read, sent to their upstream and never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use agentkube_plan::SecretEntry;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretSlice};
use subtle::ConstantTimeEq;

/// The value of one entry of a Secret: never empty, without the newline that
/// editors and `echo` leave at the end, wiped when dropped.
#[derive(Clone)]
pub struct SecretValue(SecretSlice<u8>);

impl SecretValue {
    /// The value in these bytes; `None` when there is nothing in them.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Option<Self> {
        while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            bytes.pop();
        }
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    /// The bytes, for the one place that sends them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// `prefix` and the value as a header, marked sensitive; `None` when a header
    /// cannot carry its bytes.
    #[must_use]
    pub fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut bytes = Vec::with_capacity(prefix.len() + self.expose().len());
        bytes.extend_from_slice(prefix.as_bytes());
        bytes.extend_from_slice(self.expose());
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(bytes)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for SecretValue {}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// The credentials that could be read. An entry that is not here is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<SecretEntry, Arc<SecretValue>>);

impl Secrets {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces the value of an entry. An empty one counts as missing.
    pub fn insert(&mut self, entry: SecretEntry, bytes: impl Into<Vec<u8>>) {
        match SecretValue::new(bytes.into()) {
            Some(value) => self.0.insert(entry, Arc::new(value)),
            None => self.0.remove(&entry),
        };
    }

    /// The value of an entry.
    #[must_use]
    pub fn get(&self, entry: &SecretEntry) -> Option<&Arc<SecretValue>> {
        self.0.get(entry)
    }
}
