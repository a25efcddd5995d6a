//! What admission knows of the cluster, as a trait.
//!
//! Live, the operator answers from its reflector stores; `lint` and `run` answer
//! from files ([`FileIndex`]). Checks are synchronous over it. What the answer
//! does not know is confirmed by a targeted read before the checks run for good
//! ([`Recorder`] finds out what that is, [`Overlay`] carries what was read).

mod files;
mod overlay;
mod recorder;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agentkube_crds::{LLMGateway, MCP};

pub use files::FileIndex;
pub use overlay::Overlay;
pub use recorder::{Miss, Recorder};

/// What admission knows of the cluster. Never a Secret's value.
pub trait Lookup: Send + Sync {
    /// Type and key names of a Secret.
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts>;
    /// Labels and annotations of a Namespace.
    fn namespace(&self, name: &str) -> Option<NamespaceFacts>;
    /// An LLM gateway.
    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>>;
    /// An MCP.
    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>>;

    /// Whether a Secret has an entry. [`Recorder`] overrides this to learn of
    /// entries that were asked for in vain.
    fn secret_entry(&self, namespace: &str, name: &str, key: &str) -> SecretEntryState {
        match self.secret(namespace, name) {
            None => SecretEntryState::NoSecret,
            Some(facts) if facts.keys.contains(key) => SecretEntryState::Present,
            Some(facts) => SecretEntryState::NoEntry(facts.keys),
        }
    }
}

/// A Secret without its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// `type` of the Secret (`Opaque`, `kubernetes.io/basic-auth`).
    pub type_: String,
    /// Names of its entries.
    pub keys: BTreeSet<String>,
}

/// A Namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Answer of [`Lookup::secret_entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretEntryState {
    /// There is no such Secret.
    NoSecret,
    /// The Secret has other entries: these.
    NoEntry(BTreeSet<String>),
    /// It is there.
    Present,
}
