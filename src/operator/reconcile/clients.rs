//! The client table of one target, and its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agentkube_crds::shared::{AllowedNamespaces, NamespacesFrom};
use agentkube_crds::{keys, names};
use agentkube_plan::{ClientTable, KeyHash, Namespaces, PlanDigest, TokenTrust};
use agentkube_webhooks::TargetRef;
use agentkube_webhooks::grant::{Grant, admits};
use kube::runtime::reflector::ObjectRef;

use super::nudge::sync;
use super::{Context, ReconcileError};
use crate::clients::{
    ClientKeys, ClientOwner, Grants, HandOut, Sources, mint, minted_for, secret_name,
};
use crate::conditions::Rollout;
use crate::shapes::{PodShape, SecretShape};

/// Pods of one client that are woken at once; the others start by themselves.
const WOKEN: usize = 32;

/// The clients of one target.
pub(super) struct Clients<'a> {
    pub(super) ctx: &'a Context,
    pub(super) target: TargetRef,
}

/// A client table, written down.
pub(super) struct Table {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: PlanDigest,
    /// How many; not known of tokens.
    pub(super) clients: Option<u32>,
    /// Secrets whose keys are not accepted, and why.
    pub(super) ignored: Vec<String>,
    grants: Grants,
}

impl Table {
    fn of(table: &ClientTable) -> Result<Self, ReconcileError> {
        let bytes = serde_json::to_vec(table)?;
        Ok(Self {
            digest: PlanDigest::of(&bytes),
            bytes,
            clients: None,
            ignored: Vec::new(),
            grants: Grants::default(),
        })
    }
}

impl Clients<'_> {
    /// Recomputes the table: who is granted, and by which keys they are known.
    pub(super) async fn settle(&self) -> Result<Table, ReconcileError> {
        let grants = self.grants();
        let mut ignored = Vec::new();
        let (known, waiting) = self.known(&grants, &mut ignored).await?;
        let table = self.ctx.ledger(&self.target, |ledger| {
            ledger.settle(&waiting, mint).map(|()| ledger.table(&known))
        })?;
        let clients = u32::try_from(table.clients.len()).unwrap_or(u32::MAX);
        let mut table = Table::of(&table)?;
        table.clients = Some(clients);
        table.ignored = ignored;
        table.grants = grants;
        Ok(table)
    }

    /// What verifies tokens, for `auth.mode: serviceAccount`.
    pub(super) async fn believe(
        &self,
        allowed: &AllowedNamespaces,
    ) -> Result<Table, ReconcileError> {
        let signers = self.ctx.signers.get(&self.ctx.client).await?;
        let TargetRef {
            kind,
            namespace,
            name,
        } = &self.target;
        let trust = TokenTrust {
            issuer: signers.issuer,
            audience: names::token_audience(*kind, namespace, name),
            namespaces: self.namespaces(allowed),
            keys: signers.keys,
        };
        Table::of(&ClientTable {
            clients: Vec::new(),
            tokens: Some(trust),
        })
    }

    fn namespaces(&self, allowed: &AllowedNamespaces) -> Namespaces {
        if allowed.from == NamespacesFrom::All {
            return Namespaces::All;
        }
        let home = &self.target.namespace;
        let mut admitted = BTreeSet::from([home.clone()]);
        for shape in self.ctx.stores.namespaces.state() {
            let facts = shape.facts();
            admitted.extend(
                shape.metadata.name.clone().filter(|name| {
                    matches!(admits(allowed, home, name, Some(&facts)), Grant::Given)
                }),
            );
        }
        Namespaces::Only(admitted)
    }

    /// Deletes the keys of clients whose grant ended.
    pub(super) async fn take_back(&self, table: &Table) -> Result<(), ReconcileError> {
        self.end(&table.grants.ended).await
    }

    /// Deletes every key for this target: nobody needs one.
    pub(super) async fn end_all(&self) -> Result<(), ReconcileError> {
        self.ctx.forget(&self.target);
        let ours = self.ctx.stores.secrets.state_filter(|secret| {
            let owners = secret.metadata.owner_references.as_ref();
            minted_for(&secret.metadata).as_ref() == Some(&self.target)
                && owners.is_some_and(|owners| !owners.is_empty())
        });
        let all: Vec<_> = ours
            .iter()
            .filter_map(|it| Some((it.metadata.namespace.clone()?, it.metadata.name.clone()?)))
            .collect();
        self.end(&all).await
    }

    /// Hands out the keys that every ready replica knows. Answers what stood in
    /// the way.
    pub(super) async fn hand_out(
        &self,
        table: &Table,
        rollout: &Rollout,
    ) -> Result<Vec<String>, ReconcileError> {
        let reported: Vec<Option<String>> = rollout
            .ready
            .iter()
            .map(|(_, report)| {
                let clients = report.as_ref().ok()?.clients.as_ref()?;
                Some(clients.digest.to_string())
            })
            .collect();
        let due = self
            .ctx
            .ledger(&self.target, |ledger| ledger.releasable(&reported));
        let mut problems = Vec::new();
        for release in due {
            let Some(owner) = table.grants.minted.get(&release.client) else {
                continue;
            };
            let keys = self.keys();
            match keys
                .hand_out(&release.client, &release.key, &self.target, owner)
                .await?
            {
                HandOut::Made => {
                    self.ctx
                        .ledger(&self.target, |ledger| ledger.handed(&release.client));
                    self.ctx.metrics.wrote("Secret");
                    self.wake(&release.client).await;
                }
                HandOut::NoOwner => {}
                HandOut::NameTaken => problems.push(self.taken(&release.client)),
            }
        }
        Ok(problems)
    }

    /// Has the Pods that wait for this key started now: the kubelet met its
    /// absence, and tries again after ten seconds or more.
    async fn wake(&self, client: &str) {
        let key = secret_name(client, &self.target);
        let waits = |pod: &PodShape| {
            let namespace = pod.metadata.namespace.as_deref();
            pod.is_starting()
                && client.split_once('/') == namespace.zip(Some(pod.service_account()))
        };
        let pods = self.ctx.stores.pods.state_filter(waits);
        for pod in pods.iter().take(WOKEN) {
            sync(&self.ctx.client, pod, &key).await;
        }
    }

    fn grants(&self) -> Grants {
        let stores = &self.ctx.stores;
        let (pods, agents) = (stores.pods.state(), stores.agents.state());
        let mcps = stores.mcps.state();
        let relevant = |secret: &SecretShape| {
            let labels = secret.metadata.labels.as_ref();
            let labelled = labels.is_some_and(|labels| labels.contains_key(keys::CLIENT_OF));
            labelled || minted_for(&secret.metadata).as_ref() == Some(&self.target)
        };
        let secrets = stores.secrets.state_filter(relevant);
        let sources = Sources {
            lookup: &**stores,
            pods: &pods,
            agents: &agents,
            mcps: &mcps,
            secrets: &secrets,
        };
        Grants::of(&self.target, &sources)
    }

    /// Keys that lie in Secrets, by client; and the clients that have none yet.
    async fn known(
        &self,
        grants: &Grants,
        ignored: &mut Vec<String>,
    ) -> Result<(BTreeMap<String, Vec<KeyHash>>, BTreeSet<String>), ReconcileError> {
        let mut known: BTreeMap<String, Vec<KeyHash>> = BTreeMap::new();
        let mut waiting = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for (client, owner) in &grants.minted {
            match self.secret_of(client) {
                None => {
                    waiting.insert(client.clone());
                }
                Some(secret) if !self.is_ours(&secret, client, owner) => {
                    ignored.push(self.taken(client));
                }
                Some(secret) => {
                    let hashes = self.keys().hashes(&secret).await?;
                    seen.extend(hashes.iter().copied());
                    known.insert(client.clone(), hashes);
                }
            }
        }
        for name in &grants.labelled {
            let reference = ObjectRef::new(name).within(&self.target.namespace);
            let Some(secret) = self.ctx.stores.secrets.get(&reference) else {
                continue;
            };
            let mut hashes = self.keys().hashes(&secret).await?;
            if hashes.is_empty() {
                let least = keys::API_KEY_MIN;
                ignored.push(format!(
                    "Secret {name:?}: its entry \"api-key\" is missing or has fewer than {least} characters"
                ));
            }
            let before = hashes.len();
            hashes.retain(|hash| !seen.contains(hash));
            if hashes.len() < before {
                ignored.push(format!(
                    "Secret {name:?}: a key of it is another client's too"
                ));
            }
            seen.extend(hashes.iter().copied());
            known.insert(name.clone(), hashes);
        }
        Ok((known, waiting))
    }

    fn secret_of(&self, client: &str) -> Option<Arc<SecretShape>> {
        let (namespace, _) = client.split_once('/')?;
        let name = secret_name(client, &self.target);
        self.ctx
            .stores
            .secrets
            .get(&ObjectRef::new(&name).within(namespace))
    }

    /// Made by us for this very client: its annotations and its owner say so.
    fn is_ours(&self, secret: &SecretShape, client: &str, owner: &ClientOwner) -> bool {
        let meta = &secret.metadata;
        // An MCP and a ServiceAccount of one name are one client: whoever came
        // first owns the key of both.
        let (kinds, name): (&[&str], _) = match owner {
            ClientOwner::Agent(name) => (&["Agent"], name),
            ClientOwner::Mcp(name) | ClientOwner::ServiceAccount(name) => {
                (&["MCP", "ServiceAccount"], name)
            }
        };
        let annotated = meta
            .annotations
            .as_ref()
            .and_then(|all| all.get(keys::CLIENT));
        minted_for(meta).as_ref() == Some(&self.target)
            && annotated.is_some_and(|it| it == client)
            && meta
                .owner_references
                .iter()
                .flatten()
                .any(|owner| kinds.contains(&owner.kind.as_str()) && owner.name == *name)
    }

    fn taken(&self, client: &str) -> String {
        let name = secret_name(client, &self.target);
        format!("client {client}: Secret {name:?} of its namespace exists and is not ours")
    }

    async fn end(&self, secrets: &[(String, String)]) -> Result<(), ReconcileError> {
        for (namespace, name) in secrets {
            let reference = ObjectRef::new(name).within(namespace);
            if let Some(secret) = self.ctx.stores.secrets.get(&reference) {
                self.keys().take_back(&secret).await?;
                self.ctx.metrics.wrote("Secret");
            }
        }
        Ok(())
    }

    fn keys(&self) -> ClientKeys<'_> {
        ClientKeys {
            client: &self.ctx.client,
            cache: &self.ctx.keys,
        }
    }
}
