//! What a gateway tells the admin server.

use std::sync::Arc;

use agentkube_plan::{DigestReport, GatewayPlan, UpstreamReport};
use arc_swap::ArcSwap;
use serde_json::Value;

use super::credential::Key;
use super::table::{Table, Upstream};
use crate::admin::PlaneStatus;
use crate::edge::{ObjectKind, ObjectLabels};
use crate::source::PlanWatch;

/// The status of one gateway.
pub(super) struct GatewayStatus<C> {
    pub(super) table: Arc<ArcSwap<Table<C>>>,
    pub(super) watch: PlanWatch<GatewayPlan>,
}

impl<C: Send + Sync> PlaneStatus for GatewayStatus<C> {
    fn object(&self) -> Option<ObjectLabels> {
        let table = self.table.load();
        let object = &table.loaded.plan.object;
        Some(ObjectLabels::new(ObjectKind::LlmGateway, object))
    }

    fn ready(&self) -> bool {
        true
    }

    fn digest(&self) -> Option<DigestReport> {
        let table = self.table.load();
        let upstreams = table.upstreams.iter().map(|u| report(u)).collect();
        Some(self.watch.report(&table.loaded, upstreams))
    }

    fn plan(&self) -> Option<Value> {
        serde_json::to_value(&self.table.load().loaded.plan).ok()
    }
}

fn report<C>(upstream: &Upstream<C>) -> UpstreamReport {
    let missing = match &upstream.key {
        Key::Missing(entry, why) => Some(format!("{entry} {why}")),
        Key::NotNeeded | Key::Present(..) | Key::Signed(_) | Key::Token(_) => None,
    };
    UpstreamReport {
        name: upstream.spec.name.clone(),
        credentials: missing.is_none(),
        reachable: upstream.health.reachable(),
        models: upstream.discovered().map(str::to_owned).collect(),
        era: None,
        tools: None,
        unmatched_patterns: Vec::new(),
        unpinned: Vec::new(),
        unpinned_cut: false,
        message: missing.or_else(|| upstream.health.last_failure()),
    }
}
