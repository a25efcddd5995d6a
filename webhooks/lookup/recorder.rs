//! Finds out what the checks asked for in vain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_crds::{LLMGateway, MCP};

use super::{Lookup, NamespaceFacts, SecretEntryState, SecretFacts};

/// Something that the index in memory did not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Miss {
    /// A Secret, or an entry of it.
    Secret(String, String),
    /// A Namespace.
    Namespace(String),
    /// An LLM gateway.
    Gateway(String, String),
    /// An MCP.
    Mcp(String, String),
}

/// A [`Lookup`] that notes what another one did not have.
pub struct Recorder<'a> {
    inner: &'a dyn Lookup,
    misses: Mutex<BTreeSet<Miss>>,
}

impl<'a> Recorder<'a> {
    /// Notes the misses of `inner`.
    #[must_use]
    pub fn new(inner: &'a dyn Lookup) -> Self {
        Self {
            inner,
            misses: Mutex::default(),
        }
    }

    /// What was missed, in a fixed order.
    #[must_use]
    pub fn into_misses(self) -> BTreeSet<Miss> {
        self.misses
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn noted<T>(&self, found: Option<T>, miss: impl FnOnce() -> Miss) -> Option<T> {
        if found.is_none() {
            self.note(miss());
        }
        found
    }

    fn note(&self, miss: Miss) {
        self.misses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(miss);
    }
}

impl Lookup for Recorder<'_> {
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        self.noted(self.inner.secret(namespace, name), || {
            Miss::Secret(namespace.to_owned(), name.to_owned())
        })
    }

    fn namespace(&self, name: &str) -> Option<NamespaceFacts> {
        self.noted(self.inner.namespace(name), || {
            Miss::Namespace(name.to_owned())
        })
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>> {
        self.noted(self.inner.gateway(namespace, name), || {
            Miss::Gateway(namespace.to_owned(), name.to_owned())
        })
    }

    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>> {
        self.noted(self.inner.mcp(namespace, name), || {
            Miss::Mcp(namespace.to_owned(), name.to_owned())
        })
    }

    fn secret_entry(&self, namespace: &str, name: &str, key: &str) -> SecretEntryState {
        let state = self.inner.secret_entry(namespace, name, key);
        if state != SecretEntryState::Present {
            self.note(Miss::Secret(namespace.to_owned(), name.to_owned()));
        }
        state
    }
}
