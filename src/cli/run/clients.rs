//! Who may call an object that `run` serves.

use std::collections::BTreeMap;
use std::fmt;

use agentkube_crds::{Kind, keys, names};
use agentkube_plan::{ClientEntry, ClientTable, KeyHash};

use super::secrets::SecretValues;
use crate::cli::manifest::Manifest;

/// Name of the client that is made when the manifests name none.
pub(super) const LOCAL: &str = "local";

/// The clients of one object, with the one key that is shown to the user.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Clients {
    pub(super) table: ClientTable,
    /// Key of the first client by name.
    pub(super) shown: Option<String>,
    /// Keys that are not taken, and why.
    pub(super) ignored: Vec<String>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// The clients of the Secrets labelled `agentkube.io/client-of` in the
    /// object's own namespace. Empty when there is none.
    pub(super) fn labelled(
        kind: Kind,
        namespace: &str,
        name: &str,
        manifests: &[Manifest],
        values: &SecretValues,
    ) -> Self {
        let of_target = manifests.iter().filter(|found| {
            let label = found
                .object
                .pointer("/metadata/labels")
                .and_then(|all| all.get(keys::CLIENT_OF)?.as_str());
            found.kind() == "Secret"
                && found.namespace() == namespace
                && label.is_some_and(|label| names::is_client_of(label, kind, name))
        });
        let named: BTreeMap<&str, _> = of_target
            .filter_map(|found| Some((found.name(), values.entries(namespace, found.name())?)))
            .collect();
        let mut clients = Self::default();
        let mut holders = BTreeMap::new();
        for (client, entries) in named {
            clients.add(client, entries, &mut holders);
        }
        clients
    }

    /// One client with this key.
    pub(super) fn local(key: String) -> Self {
        let entry = ClientEntry {
            name: LOCAL.to_owned(),
            keys: vec![KeyHash::of(key.as_bytes())],
        };
        Self {
            table: ClientTable {
                clients: vec![entry],
                ..ClientTable::default()
            },
            shown: Some(key),
            ignored: Vec::new(),
        }
    }

    /// True when there are Secrets that name clients, whether their keys are
    /// taken or not: then nobody else gets a key.
    pub(super) fn is_named(&self) -> bool {
        !self.table.clients.is_empty() || !self.ignored.is_empty()
    }

    fn add<'a>(
        &mut self,
        client: &'a str,
        entries: &BTreeMap<String, Vec<u8>>,
        holders: &mut BTreeMap<KeyHash, &'a str>,
    ) {
        let mut hashes = Vec::new();
        for entry in [keys::API_KEY, keys::API_KEY_PREVIOUS] {
            let Some(value) = entries.get(entry) else {
                continue;
            };
            let key = value.trim_ascii_end();
            if key.len() < keys::API_KEY_MIN {
                let least = keys::API_KEY_MIN;
                self.ignored.push(format!(
                    "Secret {client:?}, key {entry:?}: shorter than {least} characters, ignored"
                ));
                continue;
            }
            let hash = KeyHash::of(key);
            match holders.get(&hash) {
                Some(other) if *other != client => self.ignored.push(format!(
                    "Secret {client:?}, key {entry:?}: client {other:?} has the same key, ignored"
                )),
                Some(_) => {}
                None => {
                    holders.insert(hash, client);
                    hashes.push(hash);
                    let text = || String::from_utf8(key.to_vec()).ok();
                    self.shown = self.shown.take().or_else(text);
                }
            }
        }
        if !hashes.is_empty() {
            self.table.clients.push(ClientEntry {
                name: client.to_owned(),
                keys: hashes,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        rows.iter().map(own).collect()
    }

    #[test]
    fn short_and_shared_keys_are_ignored_and_said() {
        let (mut clients, mut holders) = (Clients::default(), BTreeMap::new());
        clients.add(
            "a",
            &entries(&[("api-key", "0123456789abcdef\n")]),
            &mut holders,
        );
        clients.add(
            "b",
            &entries(&[("api-key", "0123456789abcdef")]),
            &mut holders,
        );
        clients.add("c", &entries(&[("api-key", "short")]), &mut holders);
        let names: Vec<&str> = clients
            .table
            .clients
            .iter()
            .map(|client| client.name.as_str())
            .collect();
        assert_eq!(names, ["a"]);
        assert_eq!(clients.shown.as_deref(), Some("0123456789abcdef"));
        assert_eq!(clients.ignored.len(), 2);
        assert!(!format!("{:?}{:?}", clients, clients.ignored).contains("0123456789abcdef"));
    }

    #[test]
    fn the_previous_key_opens_too() {
        let mut clients = Clients::default();
        let both = entries(&[
            ("api-key", "new-key-new-key-new"),
            ("api-key-previous", "old-key-old-key-old"),
        ]);
        clients.add("a", &both, &mut BTreeMap::new());
        assert_eq!(clients.table.clients[0].keys.len(), 2);
        assert_eq!(clients.shown.as_deref(), Some("new-key-new-key-new"));
    }
}
