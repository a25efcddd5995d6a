//! What targeted reads found, laid over the index in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use agentkube_crds::{LLMGateway, MCP};

use super::{Lookup, NamespaceFacts, SecretFacts};

type Key = (String, String);

/// A [`Lookup`] that prefers what was just read.
pub struct Overlay<'a> {
    base: &'a dyn Lookup,
    secrets: BTreeMap<Key, SecretFacts>,
    namespaces: BTreeMap<String, NamespaceFacts>,
    gateways: BTreeMap<Key, Arc<LLMGateway>>,
    mcps: BTreeMap<Key, Arc<MCP>>,
}

impl<'a> Overlay<'a> {
    /// Nothing was read yet.
    #[must_use]
    pub fn over(base: &'a dyn Lookup) -> Self {
        Self {
            base,
            secrets: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            gateways: BTreeMap::new(),
            mcps: BTreeMap::new(),
        }
    }

    /// A Secret that is there after all.
    pub fn add_secret(&mut self, namespace: &str, name: &str, facts: SecretFacts) {
        self.secrets
            .insert((namespace.to_owned(), name.to_owned()), facts);
    }

    /// A Namespace that is there after all.
    pub fn add_namespace(&mut self, name: &str, facts: NamespaceFacts) {
        self.namespaces.insert(name.to_owned(), facts);
    }

    /// A gateway that is there after all.
    pub fn add_gateway(&mut self, namespace: &str, name: &str, gateway: Arc<LLMGateway>) {
        self.gateways
            .insert((namespace.to_owned(), name.to_owned()), gateway);
    }

    /// An MCP that is there after all.
    pub fn add_mcp(&mut self, namespace: &str, name: &str, mcp: Arc<MCP>) {
        self.mcps
            .insert((namespace.to_owned(), name.to_owned()), mcp);
    }
}

impl Lookup for Overlay<'_> {
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        let key = (namespace.to_owned(), name.to_owned());
        self.secrets
            .get(&key)
            .cloned()
            .or_else(|| self.base.secret(namespace, name))
    }

    fn namespace(&self, name: &str) -> Option<NamespaceFacts> {
        self.namespaces
            .get(name)
            .cloned()
            .or_else(|| self.base.namespace(name))
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.gateways
            .get(&key)
            .cloned()
            .or_else(|| self.base.gateway(namespace, name))
    }

    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.mcps
            .get(&key)
            .cloned()
            .or_else(|| self.base.mcp(namespace, name))
    }
}
