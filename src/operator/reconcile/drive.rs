//! Runs the reconcilers over their queues, on the leader.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agentkube_crds::Kind;
use futures::StreamExt;
use kube::runtime::controller::{Action, Config, Error, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Context, ReconcileError, agent, gateway, mcp, sweep};
use crate::metrics::{OfKind, Reconciled};
use crate::stores::{Dirty, Key};

/// Objects of one kind that are worked on at once.
const AT_ONCE: u16 = 8;
/// Changes that come together are answered together.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// One reconciliation; every call in it has a bound of its own.
const LONGEST: Duration = Duration::from_secs(60);
/// First and last wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Everything that writes, until `stop`.
pub(crate) async fn writers(ctx: Arc<Context>, stop: CancellationToken) {
    let stores = Arc::clone(&ctx.stores);
    stores.mark_all();
    let queues = stores.dirty.clone();
    let all = futures::future::join3(
        run(
            Kind::LLMGateway,
            stores.gateways.clone(),
            queues.gateways,
            &ctx,
            &stop,
            gateway::reconcile,
        ),
        run(
            Kind::MCP,
            stores.mcps.clone(),
            queues.mcps,
            &ctx,
            &stop,
            mcp::reconcile,
        ),
        run(
            Kind::Agent,
            stores.agents.clone(),
            queues.agents,
            &ctx,
            &stop,
            agent::reconcile,
        ),
    );
    tokio::select! {
        _ = all => {}
        () = sweep::run(&ctx) => {}
    }
}

async fn run<K, F, R>(
    kind: Kind,
    store: Store<K>,
    dirty: Arc<Dirty<Key>>,
    ctx: &Arc<Context>,
    stop: &CancellationToken,
    reconcile: R,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Debug + Eq + Hash + Clone + Unpin,
    F: Future<Output = Result<Action, ReconcileError>> + Send,
    R: Fn(Arc<K>, Arc<Context>) -> F,
{
    // When the queue ends, what is under way is finished and nothing new begun.
    let queue = dirty
        .stream()
        .map(|key| Ok::<_, Infallible>(ObjectRef::<K>::new(&key.name).within(&key.namespace)))
        .take_until(stop.cancelled());
    let failures = Arc::new(Failures::default());
    let counted = |object: Arc<K>, ctx: Arc<Context>| {
        let (key, failures) = (key(&*object), Arc::clone(&failures));
        let started = Instant::now();
        let work = reconcile(object, Arc::clone(&ctx));
        Box::pin(async move {
            let done = match timeout(LONGEST, work).await {
                Ok(done) => done,
                Err(_) => Err(ReconcileError::TooSlow(LONGEST.as_secs())),
            };
            let outcome = if done.is_ok() { "ok" } else { "error" };
            let label = Reconciled {
                kind: kind.as_str(),
                outcome,
            };
            ctx.metrics.reconciles.get_or_create(&label).inc();
            let seconds = ctx.metrics.seconds.get_or_create(&OfKind {
                kind: kind.as_str(),
            });
            seconds.observe(started.elapsed().as_secs_f64());
            if done.is_ok() {
                failures.forget(&key);
            }
            done
        })
    };
    let policy = |object: Arc<K>, error: &ReconcileError, _: Arc<Context>| {
        let key = key(&*object);
        let wait = failures.next(&key);
        warn!(kind = kind.as_str(), namespace = %key.namespace, name = %key.name, %error, ?wait, "not reconciled");
        Action::requeue(wait)
    };
    let config = Config::default().concurrency(AT_ONCE).debounce(DEBOUNCE);
    applier(counted, policy, Arc::clone(ctx), store, queue, config)
        .for_each(|done| {
            if let Err(Error::ObjectNotFound(object)) = &done {
                debug!(%object, "gone");
            }
            std::future::ready(())
        })
        .await;
}

/// How often an object failed in a row.
#[derive(Default)]
struct Failures(Mutex<BTreeMap<Key, u32>>);

impl Failures {
    fn next(&self, key: &Key) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        BACKOFF
            .0
            .saturating_mul(2_u32.saturating_pow((*count).min(16) - 1))
            .min(BACKOFF.1)
    }

    fn forget(&self, key: &Key) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

fn key<K: Resource>(object: &K) -> Key {
    Key::new(&object.namespace().unwrap_or_default(), &object.name_any())
}
