//! Immutable snapshots of what a plane serves, on a watch.

use std::sync::Arc;

use agentkube_plan::{
    ClientAuth, ClientTable, DigestReport, LoadedDigest, PlanDigest, UpstreamReport,
};
use tokio::sync::watch;

use super::{Plan, Secrets};
use crate::edge::ClientRegistry;

/// A plan with the clients and credentials that belong to it.
#[derive(Debug)]
pub struct Loaded<P> {
    /// The plan.
    pub plan: P,
    /// Digest of its bytes.
    pub digest: PlanDigest,
    /// Who may call.
    pub clients: ClientRegistry,
    /// Digest of the client table; absent with `auth.mode: none`.
    pub clients_digest: Option<PlanDigest>,
    /// The credentials that could be read.
    pub secrets: Secrets,
}

/// What a source publishes.
#[derive(Debug)]
pub(super) struct Published<P> {
    pub(super) loaded: Option<Arc<Loaded<P>>>,
    /// Why the newest plan is not the one being served.
    pub(super) plan_rejected: Option<String>,
    /// Why the newest client table is not the one being served.
    pub(super) clients_rejected: Option<String>,
}

/// The reading end of a source.
#[derive(Clone, Debug)]
pub struct PlanWatch<P>(pub(super) watch::Receiver<Published<P>>);

impl<P> Default for Published<P> {
    fn default() -> Self {
        Self {
            loaded: None,
            plan_rejected: None,
            clients_rejected: None,
        }
    }
}

impl<P: Plan> Loaded<P> {
    pub(super) fn new(
        plan: P,
        digest: PlanDigest,
        table: Option<(&ClientTable, PlanDigest)>,
        secrets: Secrets,
    ) -> Self {
        let auth = plan.auth();
        let (clients, clients_digest) = match (auth, table) {
            (ClientAuth::None, _) => (ClientRegistry::anybody(), None),
            // Closed, not open: without a table nobody is known.
            (_, None) => (ClientRegistry::new(auth, &ClientTable::default()), None),
            (_, Some((table, digest))) => (ClientRegistry::new(auth, table), Some(digest)),
        };
        Self {
            plan,
            digest,
            clients,
            clients_digest,
            secrets,
        }
    }
}

impl<P: Plan> PlanWatch<P> {
    /// What is to be served now; `None` until a first plan was loaded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Loaded<P>>> {
        self.0.borrow().loaded.clone()
    }

    /// Waits until something is published that this handle has not seen. False
    /// when the source is gone: what was loaded stays.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    /// Waits for the first plan. `None` when the source is gone before that.
    pub async fn loaded(&mut self) -> Option<Arc<Loaded<P>>> {
        let published = self.0.wait_for(|published| published.loaded.is_some());
        published.await.ok()?.loaded.clone()
    }

    /// Marks what is published now as seen and returns it.
    pub fn take(&mut self) -> Option<Arc<Loaded<P>>> {
        self.0.borrow_and_update().loaded.clone()
    }

    /// The answer of `GET /digest` of a plane that serves `loaded`.
    #[must_use]
    pub fn report(&self, loaded: &Loaded<P>, upstreams: Vec<UpstreamReport>) -> DigestReport {
        let published = self.0.borrow();
        let clients = |digest| LoadedDigest {
            digest,
            rejected: published.clients_rejected.clone(),
        };
        let empty = || PlanDigest::of(b"");
        DigestReport {
            plan: LoadedDigest {
                digest: loaded.digest.clone(),
                rejected: published.plan_rejected.clone(),
            },
            clients: match loaded.plan.auth() {
                ClientAuth::None => None,
                ClientAuth::Apikey | ClientAuth::ServiceAccount => {
                    Some(clients(loaded.clients_digest.clone().unwrap_or_else(empty)))
                }
            },
            upstreams,
        }
    }

    /// Why there is nothing to serve, or something older than what lies there.
    #[must_use]
    pub fn rejected(&self) -> Option<String> {
        let published = self.0.borrow();
        let reason = published.plan_rejected.as_ref();
        reason.or(published.clients_rejected.as_ref()).cloned()
    }
}
