//! The LLM gateway: model requests in, answers of providers out.
//!
//! ```text
//! edge (Observe → Rescue → InFlight)
//!   → service   route · authenticate · collect · peek · resolve the model
//!   → dispatch  order of upstreams · breaker · credentials · retry · fallback
//!   → wire      the client's bytes, or a translation of them
//!   → attempt   send · read the head of the answer · classify
//!   ← stream    chunk by chunk, a tap reads usage, a cut ends in an error event
//! ```
//!
//! The plan is compiled into a `Table` once; a request loads a snapshot of it.

mod answer_tap;
mod attempt;
mod betas;
mod budget;
mod capabilities;
mod clock;
mod credential;
mod dial;
mod dice;
mod discovery;
mod dispatch;
mod embeddings;
mod error;
mod failed;
mod headers;
mod health;
mod load;
mod locate;
mod metrics;
mod order;
mod plane;
mod run;
mod service;
mod settle;
mod status;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use agentkube_llm::custody::{MemoryStore, SignatureStore};
use agentkube_plan::GatewayPlan;
use arc_swap::ArcSwap;
use tokio::time::Instant;
use tracing::info;

pub use capabilities::{CAPABILITIES_FILE, Capabilities};
pub use dial::Dial;
pub use metrics::GatewayMetrics;
pub use plane::{GatewayPlane, GatewayRoute};
pub use run::run_gateway;
pub use service::{GatewayFault, GatewayService};

use crate::admin::PlaneStatus;
use crate::edge::{self, BodyBudget, Drain, EdgeMetrics, ObjectKind, ObjectLabels, Stack};
use crate::source::{Loaded, PlanWatch};
use crate::upstream::TlsRoots;
use budget::RetryBudget;
use dice::{Dice, SplitMix};
use discovery::Discovered;
use service::Shared;
use status::GatewayStatus;
use table::Table;

/// For what discovering upstreams serve, before the first request is taken.
const FIRST_DISCOVERY: Duration = Duration::from_secs(1);

/// Bounds of one replica.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLimits {
    /// Longest request body in bytes. Anthropic takes 32 MiB, OpenAI less.
    pub body: usize,
    /// All request bodies that are held at once, in bytes; over it, requests are
    /// refused until some are answered.
    pub bodies: usize,
    /// Requests under way at once, streamed answers included.
    pub in_flight: usize,
}

/// What a gateway needs besides its plan. Made once a process, shared by its
/// gateways.
#[derive(Clone, Debug)]
pub struct GatewayParts<D = TlsRoots> {
    /// How upstreams are reached.
    pub dial: D,
    /// Request metrics.
    pub edge: EdgeMetrics,
    /// Upstream metrics.
    pub metrics: GatewayMetrics,
    /// Bounds.
    pub limits: GatewayLimits,
    /// What models take.
    pub capabilities: Capabilities,
}

/// One gateway: its service, its status, and what keeps it up to date. Clones are
/// the same gateway.
#[derive(Clone)]
pub struct Gateway<D: Dial = TlsRoots> {
    table: Arc<ArcSwap<Table<D::Client>>>,
    watch: PlanWatch<GatewayPlan>,
    parts: GatewayParts<D>,
    dice: Arc<dyn Dice>,
    store: Arc<dyn SignatureStore>,
    budget: Arc<RetryBudget>,
    bodies: BodyBudget,
    discovered: Discovered,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            body: 32 * 1024 * 1024,
            bodies: 256 * 1024 * 1024,
            in_flight: 4_096,
        }
    }
}

impl<D: Dial> std::fmt::Debug for Gateway<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl<D: Dial> Gateway<D> {
    /// A gateway, as soon as its source has a plan. `None` when the source is
    /// gone before that.
    pub async fn start(mut watch: PlanWatch<GatewayPlan>, parts: GatewayParts<D>) -> Option<Self> {
        let loaded = watch.loaded().await?;
        let mut gateway = Self::new(loaded, watch, parts, Arc::new(SplitMix::seeded()));
        let _ = tokio::time::timeout(FIRST_DISCOVERY, gateway.discover()).await;
        Some(gateway)
    }

    fn new(
        loaded: Arc<Loaded<GatewayPlan>>,
        watch: PlanWatch<GatewayPlan>,
        parts: GatewayParts<D>,
        dice: Arc<dyn Dice>,
    ) -> Self {
        let discovered = Discovered::default();
        let bodies = BodyBudget::new(parts.limits.bodies);
        let table = Table::compile(loaded, &discovered, None, &parts.dial, &parts.metrics);
        Self {
            table: Arc::new(ArcSwap::from_pointee(table)),
            watch,
            parts,
            dice,
            store: Arc::new(MemoryStore::default()),
            budget: Arc::new(RetryBudget::new(Instant::now())),
            bodies,
            discovered,
        }
    }

    /// What [`edge::serve`] serves. Clones and later calls share everything but
    /// the bound on requests under way.
    pub fn service(&self) -> Stack<GatewayPlane, GatewayService<D>> {
        let table = self.table.load();
        let object = ObjectLabels::new(ObjectKind::LlmGateway, &table.loaded.plan.object);
        let GatewayLimits {
            body, in_flight, ..
        } = self.parts.limits;
        edge::stack(
            GatewayPlane,
            self.parts.edge.object(&object),
            in_flight,
            GatewayService::new(Shared {
                table: Arc::clone(&self.table),
                dice: Arc::clone(&self.dice),
                store: Arc::clone(&self.store),
                budget: Arc::clone(&self.budget),
                bodies: self.bodies.clone(),
                capabilities: self.parts.capabilities.clone(),
                body_limit: body,
            }),
        )
    }

    /// For the admin server.
    pub fn status(&self) -> Arc<dyn PlaneStatus> {
        Arc::new(GatewayStatus {
            table: Arc::clone(&self.table),
            watch: self.watch.clone(),
        })
    }

    /// Follows the plan, and what discovering upstreams serve, until the drain.
    pub async fn follow(mut self, drain: Drain) {
        let mut ticks = tokio::time::interval(discovery::EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        let mut loads = tokio::time::interval(load::EVERY);
        loads.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = drain.started() => return,
                changed = self.watch.changed() => {
                    if !changed {
                        // What was loaded stays until the drain.
                        return drain.started().await;
                    }
                    self.reload();
                    self.discover().await;
                }
                _ = ticks.tick() => self.discover().await,
                _ = loads.tick() => load::refresh::<D>(&self.table.load_full().upstreams).await,
            }
        }
    }

    /// Serves what the source published last.
    fn reload(&mut self) {
        if let Some(loaded) = self.watch.take() {
            self.compile(loaded);
        }
    }

    async fn discover(&mut self) {
        let table = self.table.load_full();
        let upstreams = table.upstreams.iter().map(Arc::as_ref);
        let next = self.discovered.refresh::<D>(upstreams).await;
        if next != self.discovered {
            info!(object = %table.loaded.plan.object, "upstreams serve other models");
            self.discovered = next;
            self.compile(Arc::clone(&table.loaded));
        }
    }

    fn compile(&self, loaded: Arc<Loaded<GatewayPlan>>) {
        let GatewayParts { dial, metrics, .. } = &self.parts;
        let previous = self.table.load();
        let table = Table::compile(loaded, &self.discovered, Some(&previous), dial, metrics);
        self.table.store(Arc::new(table));
    }
}
