//! A [`Lookup`] over manifests read from files, for `lint` and `run`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use agentkube_crds::{GROUP, Kind, LLMGateway, MCP, defaults};

use super::{Lookup, NamespaceFacts, SecretFacts};

type Key = (String, String);

/// The objects of some manifests.
#[derive(Clone, Debug, Default)]
pub struct FileIndex {
    secrets: BTreeMap<Key, SecretFacts>,
    namespaces: BTreeMap<String, NamespaceFacts>,
    gateways: BTreeMap<Key, Arc<LLMGateway>>,
    mcps: BTreeMap<Key, Arc<MCP>>,
}

impl FileIndex {
    /// Indexes the objects that take part; others are passed over. An object of
    /// our own kinds that is too malformed to be typed is passed over as well:
    /// its own admission says why, and a reference to it reads as missing.
    pub fn from_objects<'v>(objects: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut index = Self::default();
        for object in objects {
            index.add(object);
        }
        index
    }

    /// Adds a Secret by the names of its entries, as `run --secret` does.
    pub fn add_secret_entry(&mut self, namespace: &str, name: &str, key: &str) {
        let facts = self
            .secrets
            .entry((namespace.to_owned(), name.to_owned()))
            .or_default();
        if facts.type_.is_empty() {
            "Opaque".clone_into(&mut facts.type_);
        }
        facts.keys.insert(key.to_owned());
    }

    fn add(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (Some(version), Some(kind)) = (text("/apiVersion"), text("/kind")) else {
            return;
        };
        let Some(name) = text("/metadata/name") else {
            return;
        };
        let namespace = text("/metadata/namespace").unwrap_or("default");
        let key = (namespace.to_owned(), name.to_owned());
        match (version, kind) {
            ("v1", "Secret") => {
                self.secrets.insert(key, secret_facts(object));
            }
            ("v1", "Namespace") => {
                self.namespaces
                    .insert(name.to_owned(), namespace_facts(name, object));
            }
            (version, "LLMGateway") if is_own(version) => {
                let filled = defaults(Kind::LLMGateway, object);
                if let Ok(gateway) = serde_json::from_value(filled) {
                    self.gateways.insert(key, Arc::new(gateway));
                }
            }
            (version, "MCP") if is_own(version) => {
                let filled = defaults(Kind::MCP, object);
                if let Ok(mcp) = serde_json::from_value(filled) {
                    self.mcps.insert(key, Arc::new(mcp));
                }
            }
            _ => {}
        }
    }
}

impl Lookup for FileIndex {
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        self.secrets
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    fn namespace(&self, name: &str) -> Option<NamespaceFacts> {
        self.namespaces.get(name).cloned()
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<Arc<LLMGateway>> {
        self.gateways
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    fn mcp(&self, namespace: &str, name: &str) -> Option<Arc<MCP>> {
        self.mcps
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }
}

fn is_own(version: &str) -> bool {
    version
        .split_once('/')
        .is_some_and(|(group, _)| group == GROUP)
}

fn secret_facts(object: &Value) -> SecretFacts {
    let keys = ["data", "stringData"]
        .into_iter()
        .filter_map(|field| object.get(field)?.as_object());
    SecretFacts {
        type_: object
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("Opaque")
            .to_owned(),
        keys: keys
            .flat_map(|map| map.keys().cloned())
            .collect::<BTreeSet<_>>(),
    }
}

/// The API server adds the label of the name to every Namespace.
fn namespace_facts(name: &str, object: &Value) -> NamespaceFacts {
    let mut labels = text_map(object.pointer("/metadata/labels"));
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
    NamespaceFacts {
        labels,
        annotations: text_map(object.pointer("/metadata/annotations")),
    }
}

fn text_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_known_by_its_key_names_only() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "pat", "namespace": "team-a"},
            "stringData": {"token": "ghp_secret"}, "data": {"other": "eA=="}
        });
        let index = FileIndex::from_objects([&secret]);
        let facts = index.secret("team-a", "pat").unwrap();
        assert_eq!(facts.type_, "Opaque");
        assert_eq!(facts.keys, ["other", "token"].map(str::to_owned).into());
        assert!(!format!("{index:?}").contains("ghp_secret"));
    }

    #[test]
    fn a_namespace_carries_the_label_of_its_name() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
        let index = FileIndex::from_objects([&namespace]);
        let labels = index.namespace("a").unwrap().labels;
        assert_eq!(
            labels
                .get("kubernetes.io/metadata.name")
                .map(String::as_str),
            Some("a")
        );
        assert!(index.namespace("b").is_none());
    }
}
