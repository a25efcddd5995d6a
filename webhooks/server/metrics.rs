//! What the webhooks count.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counters of the webhook server. Labels come from closed sets.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    duration: Family<Call, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) webhook: &'static str,
    pub(super) op: &'static str,
    pub(super) kind: &'static str,
    pub(super) outcome: Outcome,
    pub(super) dry_run: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    webhook: &'static str,
    kind: &'static str,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Allowed,
    Denied,
    Malformed,
    Patched,
}

impl Metrics {
    /// Registers the metrics under `agentkube_admission_…`.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(buckets),
        };
        registry.register(
            "agentkube_admission_requests",
            "Admission requests answered",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "agentkube_admission_duration",
            "Time from the body of a request to its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, request: &Request, took: Duration) {
        self.requests.get_or_create(request).inc();
        let call = Call {
            webhook: request.webhook,
            kind: request.kind,
        };
        self.duration
            .get_or_create(&call)
            .observe(took.as_secs_f64());
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::Patched => "patched",
        })
    }
}

/// From an answer out of memory to the API server's patience.
fn buckets() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0,
    ])
}
