//! Metrics of the operator. Labels are kinds and outcomes, never names.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// One reconciled kind and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reconciled {
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
}

/// One kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfKind {
    pub(crate) kind: &'static str,
}

/// The metrics; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) reconciles: Family<Reconciled, Counter>,
    pub(crate) seconds: Family<OfKind, Histogram, fn() -> Histogram>,
    pub(crate) writes: Family<OfKind, Counter>,
    pub(crate) leading: Gauge,
    pub(crate) ca_expires: Gauge<i64, AtomicI64>,
    pub(crate) leaf_expires: Gauge<i64, AtomicI64>,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Registers the metrics of the operator in `registry`, which may hold others.
    pub(crate) fn new(mut registry: Registry) -> Self {
        let reconciles = Family::<Reconciled, Counter>::default();
        let seconds = Family::<OfKind, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.001, 4.0, 8))
        });
        let writes = Family::<OfKind, Counter>::default();
        let (leading, ca, leaf) = (Gauge::default(), Gauge::default(), Gauge::default());
        let ours = registry.sub_registry_with_prefix("agentkube_operator");
        ours.register(
            "reconciles",
            "Reconciliations by kind and outcome",
            reconciles.clone(),
        );
        ours.register(
            "reconcile_seconds",
            "Duration of reconciliations",
            seconds.clone(),
        );
        ours.register(
            "writes",
            "Objects created, changed or deleted",
            writes.clone(),
        );
        ours.register(
            "leading",
            "1 while this replica holds the Lease",
            leading.clone(),
        );
        ours.register(
            "ca_expires_timestamp_seconds",
            "End of the CA's validity",
            ca.clone(),
        );
        ours.register(
            "leaf_expires_timestamp_seconds",
            "End of the certificate's",
            leaf.clone(),
        );
        let registry = Arc::new(registry);
        Self {
            reconciles,
            seconds,
            writes,
            leading,
            ca_expires: ca,
            leaf_expires: leaf,
            registry,
        }
    }

    /// One object of `kind` was written.
    pub(crate) fn wrote(&self, kind: &'static str) {
        self.writes.get_or_create(&OfKind { kind }).inc();
    }

    /// The metrics as OpenMetrics text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}
