//! Keys that were minted and not handed out yet, for one target. In memory only:
//! a key that was not handed out when the operator ends is never used by anybody
//! and is replaced by a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agentkube_plan::{ClientEntry, ClientTable, KeyHash, PlanDigest};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

/// How long a watch may take to show a Secret that was made.
const PATIENCE: Duration = Duration::from_secs(30);

/// Minted keys that wait for the replicas.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pending: BTreeMap<String, Pending>,
}

#[derive(Debug)]
struct Pending {
    key: SecretString,
    /// Digests of the tables that carry its hash. A replica that reports any of
    /// them knows the key, also when other clients came since.
    carried_by: BTreeSet<String>,
    /// When its Secret was made, until a watch shows it.
    handed: Option<Instant>,
}

/// A key whose Secret may be made now.
pub(crate) struct Release {
    pub(crate) client: String,
    pub(crate) key: SecretString,
}

impl Ledger {
    /// Mints a key for each client that waits for one, and forgets the others:
    /// they are no longer wanted, or have their Secret by now.
    ///
    /// # Errors
    /// That of `mint`.
    pub(crate) fn settle<E>(
        &mut self,
        waiting: &BTreeSet<String>,
        mut mint: impl FnMut() -> Result<SecretString, E>,
    ) -> Result<(), E> {
        self.pending.retain(|client, _| waiting.contains(client));
        for client in waiting {
            if !self.pending.contains_key(client) {
                let pending = Pending {
                    key: mint()?,
                    carried_by: BTreeSet::new(),
                    handed: None,
                };
                self.pending.insert(client.clone(), pending);
            }
        }
        Ok(())
    }

    /// The client table: keys in Secrets and keys that wait.
    pub(crate) fn table(&self, known: &BTreeMap<String, Vec<KeyHash>>) -> ClientTable {
        let mut clients = known.clone();
        for (client, pending) in &self.pending {
            let hash = KeyHash::of(pending.key.expose_secret().as_bytes());
            clients.entry(client.clone()).or_default().push(hash);
        }
        let clients = clients
            .into_iter()
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(name, keys)| ClientEntry { name, keys })
            .collect();
        ClientTable {
            clients,
            tokens: None,
        }
    }

    /// Notes that the table of this digest, with all waiting keys, was written.
    pub(crate) fn written(&mut self, table: &PlanDigest) {
        for pending in self.pending.values_mut() {
            pending.carried_by.insert(table.to_string());
        }
    }

    /// The keys that every ready replica knows, by the table digests that the
    /// replicas report; all of them when there is no ready replica.
    pub(crate) fn releasable(&self, reported: &[Option<String>]) -> Vec<Release> {
        self.pending
            .iter()
            .filter(|(_, pending)| !pending.is_handed())
            .filter(|(_, pending)| !pending.carried_by.is_empty())
            .filter(|(_, pending)| {
                reported.iter().all(|digest| {
                    digest
                        .as_ref()
                        .is_some_and(|digest| pending.carried_by.contains(digest))
                })
            })
            .map(|(client, pending)| Release {
                client: client.clone(),
                key: pending.key.clone(),
            })
            .collect()
    }

    /// Notes that the Secret of this client was made.
    pub(crate) fn handed(&mut self, client: &str) {
        if let Some(pending) = self.pending.get_mut(client) {
            pending.handed = Some(Instant::now());
        }
    }

    /// True when keys wait for replicas.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.values().any(|pending| !pending.is_handed())
    }
}

impl Pending {
    /// A Secret that no watch shows after this long was deleted at once.
    fn is_handed(&self) -> bool {
        self.handed.is_some_and(|at| at.elapsed() < PATIENCE)
    }
}
