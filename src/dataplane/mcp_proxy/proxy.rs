//! The proxy of one MCP object: what the command line starts.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentkube_mcp::method::ListKind;
use agentkube_mcp::session::Home;
use agentkube_plan::{DigestReport, ProxyPlan};
use arc_swap::ArcSwapOption;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::calls::Calls;
use super::desk::Desk;
use super::metrics::ProxyMetrics;
use super::old_clients::OpenStreams;
use super::party::Party;
use super::pod_relay::{Relayed, RelayedPlane, Relays};
use super::route::ProxyPlane;
use super::service::ProxyService;
use super::serving::Serving;
use super::sessions::Sessions;
use super::telling::{Telling, hand_over};
use super::upstream::Upstream;
use crate::admin::PlaneStatus;
use crate::edge::{self, Drain, EdgeMetrics, ObjectKind, ObjectLabels, ObjectMetrics, Stack};
use crate::source::PlanWatch;
use crate::stdio::Programs;
use crate::upstream::{TlsRoots, UpstreamClient};

/// Requests under way at once, whatever the plan allows: as many as connections.
const MAX_REQUESTS: usize = 20_000;

/// How often an upstream that is well is looked at when nobody calls it.
const LOOK: Duration = Duration::from_secs(60);

/// How long a connection to another replica may take.
const PEER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// The pauses after failed looks double from the first to the last.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What a proxy needs besides its plan. Made once a process, shared by its
/// proxies.
#[derive(Clone, Debug)]
pub struct ProxyParts {
    /// What upstreams are verified against.
    pub roots: TlsRoots,
    /// Upstreams that are programs.
    pub programs: Programs,
    /// Request metrics.
    pub edge: EdgeMetrics,
    /// Upstream metrics.
    pub metrics: ProxyMetrics,
}

/// The proxy of one MCP object: its service, its status, and what keeps it up
/// to date. Clones are the same proxy.
#[derive(Clone)]
pub struct Proxy(Arc<State>);

pub(super) struct State {
    pub(super) labels: ObjectLabels,
    pub(super) upstream_metrics: ProxyMetrics,
    metrics: ObjectMetrics<super::Route>,
    watch: PlanWatch<ProxyPlan>,
    parts: ProxyParts,
    serving: ArcSwapOption<Serving>,
    pub(super) sessions: Sessions,
    /// Calls under way, however they came.
    pub(super) calls: Calls,
    /// Streams of `subscriptions/listen`.
    pub(super) listeners: Calls,
    /// Streams of sessions.
    pub(super) streams: Calls,
    /// Our own questions to clients.
    pub(super) desk: Desk,
    /// Towards other replicas.
    pub(super) peers: UpstreamClient,
    /// The streams of clients of the legacy HTTP+SSE transport.
    pub(super) old_streams: OpenStreams,
    /// Sessions that only one Pod can serve.
    pub(super) relays: Relays,
    /// What the others are told of sessions that any of us serves.
    pub(super) telling: Telling,
    /// Seals the sessions of a plan without keys.
    own_key: Vec<u8>,
    /// Cancelled when streams without an end must end.
    pub(super) closing: CancellationToken,
    /// Held while a new plan takes over, so that upstreams are made once.
    replacing: Mutex<()>,
}

impl Proxy {
    /// A proxy, as soon as its source has a plan. `None` when the source is gone
    /// before that.
    pub async fn start(mut watch: PlanWatch<ProxyPlan>, parts: ProxyParts) -> Option<Self> {
        let loaded = watch.loaded().await?;
        let labels = ObjectLabels::new(ObjectKind::Mcp, &loaded.plan.object);
        Some(Self(Arc::new(State {
            metrics: parts.edge.object(&labels),
            upstream_metrics: parts.metrics.clone(),
            labels,
            watch,
            serving: ArcSwapOption::empty(),
            sessions: Sessions::default(),
            calls: Calls::default(),
            listeners: Calls::default(),
            streams: Calls::default(),
            desk: Desk::default(),
            peers: UpstreamClient::new(&parts.roots, PEER_TIMEOUT),
            old_streams: OpenStreams::default(),
            relays: Relays::new(&parts.roots),
            telling: Telling::default(),
            parts,
            own_key: own_key(),
            closing: CancellationToken::new(),
            replacing: Mutex::default(),
        })))
    }

    /// Where this proxy is served: other replicas pass on to there what only this
    /// one can use.
    pub fn listens_on(&self, address: SocketAddr) {
        self.0.desk.listens_on(address);
    }

    /// What [`edge::serve`] serves. Clones and later calls share everything.
    #[must_use]
    pub fn service(&self) -> Stack<ProxyPlane, ProxyService> {
        let service = ProxyService::new(Arc::clone(&self.0));
        edge::stack(ProxyPlane, self.0.metrics.clone(), MAX_REQUESTS, service)
    }

    /// Says which Pod this is: sessions with children on stdio are served here
    /// from now on, whichever replica is asked.
    pub fn lives_at(&self, home: Home) {
        self.0.relays.lives_at(home);
    }

    /// What is served at the address of [`Proxy::lives_at`]: requests that other
    /// replicas hand on, and nothing else.
    #[must_use]
    pub fn relayed(&self) -> Stack<RelayedPlane, Relayed> {
        self.relayed_within(MAX_REQUESTS)
    }

    /// As [`Proxy::relayed`], with another bound.
    pub(super) fn relayed_within(&self, most: usize) -> Stack<RelayedPlane, Relayed> {
        let service = Relayed::new(Arc::clone(&self.0), most);
        // It has the bound itself, behind the proof of who refuses.
        edge::stack(RelayedPlane, self.0.metrics.clone(), usize::MAX, service)
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &Arc<State> {
        &self.0
    }

    /// For the admin server.
    #[must_use]
    pub fn status(&self) -> Arc<dyn PlaneStatus> {
        Arc::new(self.clone())
    }

    /// Looks at the upstreams until the drain, so that their state is known
    /// before anybody calls: at once, then every minute, sooner after failures.
    pub async fn follow(self, drain: Drain) {
        let mut watch = self.0.watch.clone();
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            let mut looking = JoinSet::new();
            if let Some(serving) = self.0.serving() {
                for upstream in &serving.upstreams {
                    looking.spawn(look_after(Arc::clone(upstream)));
                }
            }
            loop {
                tokio::select! {
                    () = drain.started() => return self.0.close().await,
                    _ = sweeps.tick() => self.0.sweep(),
                    open = watch.changed() => {
                        if !open {
                            drain.started().await;
                            return self.0.close().await;
                        }
                        break;
                    }
                }
            }
        }
    }
}

/// A key that no other process has; empty, and so none, where the system has no
/// randomness.
fn own_key() -> Vec<u8> {
    let mut key = vec![0; 32];
    match getrandom::fill(&mut key) {
        Ok(()) => key,
        Err(_) => Vec::new(),
    }
}

impl State {
    /// Streams without an end end, as soon as the others know what they have to go on.
    async fn close(self: &Arc<Self>) {
        hand_over(self).await;
        self.closing.cancel();
    }

    /// Forgets sessions that nobody uses. Where no other replica may be serving
    /// them, their upstreams are told.
    fn sweep(&self) {
        let Some(serving) = self.serving() else {
            return;
        };
        let plan = &serving.loaded.plan;
        for live in self.sessions.sweep(plan.limits.session_idle) {
            if plan.alone {
                serving.end_links(&live);
            }
        }
    }

    /// Tells of every plan from now on.
    pub(super) fn plans(&self) -> PlanWatch<ProxyPlan> {
        let mut plans = self.watch.clone();
        plans.take();
        plans
    }

    /// What is to be served now; `None` until a first plan was loaded.
    pub(super) fn serving(&self) -> Option<Arc<Serving>> {
        let current = self.watch.current()?;
        let fits = |serving: &Option<Arc<Serving>>| {
            serving
                .as_ref()
                .is_some_and(|serving| Arc::ptr_eq(&serving.loaded, &current))
        };
        let serving = self.serving.load_full();
        if fits(&serving) {
            return serving;
        }
        let _replacing = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.serving.load_full();
        if fits(&before) {
            return before;
        }
        let next = Arc::new(Serving::new(
            current,
            before.as_deref(),
            &self.parts,
            &self.own_key,
        ));
        self.serving.store(Some(Arc::clone(&next)));
        if let Some(before) = before {
            before.end_gone(&next, &self.sessions);
        }
        Some(next)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.0.labels.name).finish()
    }
}

impl PlaneStatus for Proxy {
    fn object(&self) -> Option<ObjectLabels> {
        self.0.serving().map(|_| self.0.labels.clone())
    }

    fn ready(&self) -> bool {
        self.0.watch.current().is_some()
    }

    fn digest(&self) -> Option<DigestReport> {
        let serving = self.0.serving()?;
        Some(self.0.watch.report(&serving.loaded, serving.reports()))
    }

    fn plan(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.0.watch.current()?.plan).ok()
    }
}

async fn look_after(upstream: Arc<Upstream>) {
    let (mut pause, longest) = LOOK_AGAIN;
    loop {
        let looked = upstream
            .catalogue(ListKind::Tools, &Party::Modern, Instant::now())
            .await;
        match looked {
            Ok(_) => {
                pause = LOOK_AGAIN.0;
                // A client may find it out of order before the next look does.
                let _ = tokio::time::timeout(LOOK, upstream.missed()).await;
            }
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }
}
