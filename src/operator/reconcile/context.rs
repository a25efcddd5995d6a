//! What every reconciliation needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_plan::STATUS_PORT;
use agentkube_webhooks::TargetRef;
use kube::Client;
use kube::runtime::events::Recorder;

use super::digest::DigestReader;
use super::nudge::Nudges;
use super::pod_port::PodPort;
use super::signers::ClusterSigners;
use crate::clients::{KeyCache, Ledger};
use crate::metrics::Metrics;
use crate::render::Settings;
use crate::stores::Stores;

/// Shared by all reconcilers of this process.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) stores: Arc<Stores>,
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    pub(crate) digests: DigestReader,
    /// The supervisors of Agents.
    pub(crate) runs: PodPort,
    pub(crate) keys: KeyCache,
    /// Who signs tokens of ServiceAccounts.
    pub(crate) signers: ClusterSigners,
    pub(crate) nudges: Nudges,
    pub(crate) metrics: Metrics,
    ledgers: Mutex<BTreeMap<TargetRef, Ledger>>,
}

impl Context {
    pub(crate) fn new(
        client: Client,
        stores: Arc<Stores>,
        settings: Settings,
        recorder: Recorder,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            stores,
            settings,
            recorder,
            digests: DigestReader::default(),
            runs: PodPort::new(STATUS_PORT),
            keys: KeyCache::default(),
            signers: ClusterSigners::default(),
            nudges: Nudges::default(),
            metrics,
            ledgers: Mutex::default(),
        }
    }

    /// Works with the ledger of a target.
    pub(crate) fn ledger<T>(&self, target: &TargetRef, work: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        work(ledgers.entry(target.clone()).or_default())
    }

    /// Forgets a target that is gone.
    pub(crate) fn forget(&self, target: &TargetRef) {
        self.ledgers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(target);
    }
}
