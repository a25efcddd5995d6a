//! What the proxy counts of its upstreams. Labels are names of the plan.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use agentkube_plan::ObjectName;

use crate::edge::ObjectLabels;

/// Seconds: from an answer of the same machine to a long tool.
const DURATION_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
];

/// The upstream metrics of every proxy that this process serves.
#[derive(Clone, Debug)]
pub struct ProxyMetrics {
    calls: Family<CallLabels, Counter>,
    duration: Family<UpstreamLabels, Histogram, fn() -> Histogram>,
    drifted: Family<UpstreamLabels, Gauge>,
    untold: Family<ObjectLabel, Counter>,
}

/// How many tools of one upstream are not as they are pinned.
#[derive(Debug)]
pub(super) struct DriftGauge {
    family: Family<UpstreamLabels, Gauge>,
    labels: UpstreamLabels,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabel {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    namespace: String,
    name: String,
    upstream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    namespace: String,
    name: String,
    upstream: String,
    outcome: &'static str,
}

/// How a client's request to an upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nobody waited for the answer any more.
    Cancelled,
    /// It answered with an error.
    Error,
    /// It did not answer, or not usably.
    Failed,
    /// It answered.
    Ok,
}

/// One request to an upstream: counted when this is dropped, as cancelled unless
/// it was told otherwise.
pub(super) struct Meter {
    metrics: ProxyMetrics,
    labels: UpstreamLabels,
    since: Instant,
    outcome: AtomicU8,
}

impl ProxyMetrics {
    /// Registers the metrics. Once a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            drifted: Family::default(),
            untold: Family::default(),
        };
        registry.register(
            "agentkube_mcp_upstream_requests",
            "Clients' requests to upstreams, by how they ended",
            metrics.calls.clone(),
        );
        registry.register(
            "agentkube_mcp_upstream_request_duration_seconds",
            "From a client's request to the end of the upstream's answer",
            metrics.duration.clone(),
        );
        registry.register(
            "agentkube_mcp_drifted_tools",
            "Tools whose definition is not as it is pinned",
            metrics.drifted.clone(),
        );
        registry.register(
            "agentkube_mcp_untold",
            "Times that another replica could not be told what a client said of its session",
            metrics.untold.clone(),
        );
        metrics
    }

    /// A replica of this object could not be told something.
    pub(super) fn untold(&self, object: &ObjectLabels) {
        let labels = ObjectLabel {
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        };
        self.untold.get_or_create(&labels).inc();
    }

    /// The gauge of an upstream's drifted tools.
    pub(super) fn drift(&self, object: &ObjectName, upstream: &str) -> DriftGauge {
        DriftGauge {
            family: self.drifted.clone(),
            labels: UpstreamLabels {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                upstream: upstream.to_owned(),
            },
        }
    }

    /// Begins to measure a request.
    pub(super) fn begin(&self, object: &ObjectLabels, upstream: &str) -> Meter {
        Meter {
            metrics: self.clone(),
            labels: UpstreamLabels {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                upstream: upstream.to_owned(),
            },
            since: Instant::now(),
            outcome: AtomicU8::new(Outcome::Cancelled as u8),
        }
    }
}

impl DriftGauge {
    /// So many.
    pub(super) fn set(&self, tools: usize) {
        let gauge = self.family.get_or_create(&self.labels);
        gauge.set(i64::try_from(tools).unwrap_or(i64::MAX));
    }
}

impl Drop for DriftGauge {
    /// An upstream that takes its place sets it anew with its first list.
    fn drop(&mut self) {
        self.family.remove(&self.labels);
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Cancelled, Self::Error, Self::Failed, Self::Ok];

    fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Ok => "ok",
        }
    }
}

impl Meter {
    /// How it ended.
    pub(super) fn ended(&self, outcome: Outcome) {
        self.outcome.store(outcome as u8, Ordering::Relaxed);
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.labels.upstream).finish()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let outcome = self.outcome.load(Ordering::Relaxed);
        let outcome = Outcome::ALL.into_iter().find(|it| *it as u8 == outcome);
        let UpstreamLabels {
            namespace,
            name,
            upstream,
        } = self.labels.clone();
        let labels = CallLabels {
            namespace,
            name,
            upstream,
            outcome: outcome.unwrap_or(Outcome::Cancelled).as_str(),
        };
        self.metrics.calls.get_or_create(&labels).inc();
        let seconds = self.since.elapsed().as_secs_f64();
        self.metrics
            .duration
            .get_or_create(&self.labels)
            .observe(seconds);
    }
}
