//! Confirms what the index in memory does not have, before it becomes a finding.
//!
//! A Secret and the object that refers to it often come with one `kubectl
//! apply`, milliseconds apart: sooner than a watch tells. What the index has is
//! never asked for again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agentkube_crds::{LLMGateway, MCP};
use futures::future::{BoxFuture, join_all};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::lookup::{Lookup, Miss, NamespaceFacts, Overlay, Recorder, SecretFacts};

/// Reads in one request: more references than this are not confirmed.
const MOST_READS: usize = 8;
/// Time for all of them together.
const PATIENCE: Duration = Duration::from_millis(1000);
/// A gateway that was read may name things that were not asked for before.
const ROUNDS: usize = 3;

/// Targeted reads from the API server.
pub trait Confirm: Send + Sync {
    /// Type and key names of a Secret.
    fn secret(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<SecretFacts>, ConfirmError>>;
    /// Labels and annotations of a Namespace.
    fn namespace(
        &self,
        name: String,
    ) -> BoxFuture<'_, Result<Option<NamespaceFacts>, ConfirmError>>;
    /// An LLM gateway.
    fn gateway(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<Arc<LLMGateway>>, ConfirmError>>;
    /// An MCP.
    fn mcp(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<Arc<MCP>>, ConfirmError>>;
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfirmError(pub String);

/// What a read found.
enum Read {
    Secret(String, String, SecretFacts),
    Namespace(String, NamespaceFacts),
    Gateway(String, String, Arc<LLMGateway>),
    Mcp(String, String, Arc<MCP>),
    Nothing,
    Failed,
}

/// Runs `judge` until it misses nothing that has not been asked for. The flag
/// says whether everything that was missed could be asked for.
pub(super) async fn judge<T>(
    lookup: &dyn Lookup,
    confirm: &dyn Confirm,
    judge: impl Fn(&dyn Lookup) -> T,
) -> (T, bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut overlay = Overlay::over(lookup);
    let mut asked: BTreeSet<Miss> = BTreeSet::new();
    let mut complete = true;
    for _ in 0..ROUNDS {
        let recorder = Recorder::new(&overlay);
        let verdict = judge(&recorder);
        let left = MOST_READS.saturating_sub(asked.len());
        let missed: Vec<Miss> = recorder.into_misses().difference(&asked).cloned().collect();
        if missed.is_empty() {
            return (verdict, complete);
        }
        if left == 0 {
            return (verdict, false);
        }
        complete &= missed.len() <= left;
        let now: Vec<Miss> = missed.into_iter().take(left).collect();
        let reads = now.iter().map(|miss| read(confirm, miss.clone(), deadline));
        for found in join_all(reads).await {
            complete &= keep(&mut overlay, found);
        }
        asked.extend(now);
    }
    (judge(&overlay), complete)
}

/// False when the read failed.
fn keep(overlay: &mut Overlay<'_>, found: Read) -> bool {
    match found {
        Read::Secret(namespace, name, facts) => overlay.add_secret(&namespace, &name, facts),
        Read::Namespace(name, facts) => overlay.add_namespace(&name, facts),
        Read::Gateway(namespace, name, gateway) => overlay.add_gateway(&namespace, &name, gateway),
        Read::Mcp(namespace, name, mcp) => overlay.add_mcp(&namespace, &name, mcp),
        Read::Nothing => {}
        Read::Failed => return false,
    }
    true
}

async fn read(confirm: &dyn Confirm, miss: Miss, deadline: Instant) -> Read {
    let reading = async {
        match miss.clone() {
            Miss::Secret(namespace, name) => {
                let facts = confirm.secret(namespace.clone(), name.clone()).await?;
                Ok(facts.map(|facts| Read::Secret(namespace, name, facts)))
            }
            Miss::Namespace(name) => {
                let facts = confirm.namespace(name.clone()).await?;
                Ok(facts.map(|facts| Read::Namespace(name, facts)))
            }
            Miss::Gateway(namespace, name) => {
                let gateway = confirm.gateway(namespace.clone(), name.clone()).await?;
                Ok(gateway.map(|gateway| Read::Gateway(namespace, name, gateway)))
            }
            Miss::Mcp(namespace, name) => {
                let mcp = confirm.mcp(namespace.clone(), name.clone()).await?;
                Ok(mcp.map(|mcp| Read::Mcp(namespace, name, mcp)))
            }
        }
    };
    match timeout_at(deadline, reading).await {
        Ok(Ok(found)) => found.unwrap_or(Read::Nothing),
        Ok(Err(ConfirmError(error))) => {
            warn!(?miss, %error, "could not confirm that an object is missing");
            Read::Failed
        }
        Err(_) => {
            warn!(?miss, "no answer in time on whether an object is missing");
            Read::Failed
        }
    }
}
