//! What the gateway counts of its upstreams. Labels are upstreams and the models
//! that the plan names (for a glob, the glob), so they are bounded by the plan.

use std::sync::OnceLock;
use std::time::Duration;

use agentkube_llm::{Usage, UsageReport};
use agentkube_plan::ObjectName;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds.
const FIRST_TOKEN_BUCKETS: [f64; 13] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// The upstream metrics of every gateway that this process serves.
#[derive(Clone, Debug)]
pub struct GatewayMetrics {
    attempts: Family<OutcomeLabels, Counter>,
    dropped: Family<ModelLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    uncounted: Family<ModelLabels, Counter>,
    first_token: Family<ModelLabels, Histogram, fn() -> Histogram>,
}

/// How an attempt at an upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    BadRequest,
    Cancelled,
    ConnectFailure,
    Credentials,
    NotFound,
    Ok,
    Overloaded,
    Quota,
    RateLimited,
    ServerError,
    Timeout,
    Truncated,
}

/// The metrics of one model at one upstream. Each series appears when first
/// counted: a plan may name thousands of pairs, and most see few outcomes.
#[derive(Debug)]
pub(super) struct ModelMetrics {
    families: GatewayMetrics,
    labels: ModelLabels,
    attempts: [OnceLock<Counter>; Outcome::ALL.len()],
    tokens: OnceLock<[Counter; TOKEN_TYPES.len()]>,
    first_token: OnceLock<Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    namespace: String,
    name: String,
    upstream: String,
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    namespace: String,
    name: String,
    upstream: String,
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    namespace: String,
    name: String,
    upstream: String,
    model: String,
    r#type: &'static str,
}

/// In the order of [`ModelMetrics::tokens`]. `input` and `output` include their
/// parts.
const TOKEN_TYPES: [&str; 5] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];

impl GatewayMetrics {
    /// Registers the metrics. Once a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            attempts: Family::default(),
            dropped: Family::default(),
            tokens: Family::default(),
            uncounted: Family::default(),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST_TOKEN_BUCKETS)),
        };
        registry.register(
            "agentkube_llm_attempts",
            "Attempts at upstreams, by how they ended",
            metrics.attempts.clone(),
        );
        registry.register(
            "agentkube_llm_dropped_fields",
            "Fields of requests that the upstream's dialect cannot carry",
            metrics.dropped.clone(),
        );
        registry.register(
            "agentkube_llm_tokens",
            "Tokens as upstreams reported them; input and output include their parts",
            metrics.tokens.clone(),
        );
        registry.register(
            "agentkube_llm_answers_without_usage",
            "Complete answers whose tokens the upstream did not report readably",
            metrics.uncounted.clone(),
        );
        registry.register(
            "agentkube_llm_time_to_first_token_seconds",
            "From an attempt to its first event, or to its whole answer",
            metrics.first_token.clone(),
        );
        metrics
    }

    pub(super) fn model(&self, object: &ObjectName, upstream: &str, model: &str) -> ModelMetrics {
        let labels = ModelLabels {
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            upstream: upstream.to_owned(),
            model: model.to_owned(),
        };
        ModelMetrics {
            families: self.clone(),
            labels,
            attempts: Default::default(),
            tokens: OnceLock::new(),
            first_token: OnceLock::new(),
        }
    }
}

impl ModelLabels {
    fn with_outcome(self, outcome: Outcome) -> OutcomeLabels {
        OutcomeLabels {
            namespace: self.namespace,
            name: self.name,
            upstream: self.upstream,
            model: self.model,
            outcome: outcome.as_str(),
        }
    }

    fn with_type(self, r#type: &'static str) -> TokenLabels {
        TokenLabels {
            namespace: self.namespace,
            name: self.name,
            upstream: self.upstream,
            model: self.model,
            r#type,
        }
    }
}

impl ModelMetrics {
    pub(super) fn attempted(&self, outcome: Outcome) {
        if let Some(counter) = self.attempts.get(outcome as usize) {
            let new = || {
                let labels = self.labels.clone().with_outcome(outcome);
                self.families.attempts.get_or_create(&labels).clone()
            };
            counter.get_or_init(new).inc();
        }
    }

    /// An answer's request lost so many fields in its translation.
    pub(super) fn dropped(&self, fields: usize) {
        let fields = u64::try_from(fields).unwrap_or(u64::MAX);
        let counter = self.families.dropped.get_or_create(&self.labels);
        counter.inc_by(fields);
    }

    pub(super) fn first_token(&self, after: Duration) {
        let new = || {
            self.families
                .first_token
                .get_or_create(&self.labels)
                .clone()
        };
        let histogram = self.first_token.get_or_init(new);
        histogram.observe(after.as_secs_f64());
    }

    /// Settles what an answer cost. `complete` answers without readable usage are
    /// an alarm: their tokens go uncounted.
    pub(super) fn used(&self, usage: UsageReport, complete: bool) {
        let Some(counts) = usage.counts() else {
            if complete || usage == UsageReport::Unreadable {
                self.families.uncounted.get_or_create(&self.labels).inc();
            }
            return;
        };
        let Usage {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
        } = counts;
        let counts = [input, cached_input, cache_write, output, reasoning];
        let counters = self.tokens.get_or_init(|| {
            TOKEN_TYPES.map(|r#type| {
                let labels = self.labels.clone().with_type(r#type);
                self.families.tokens.get_or_create(&labels).clone()
            })
        });
        for (counter, count) in counters.iter().zip(counts) {
            if count > 0 {
                counter.inc_by(count);
            }
        }
    }
}

impl Outcome {
    const ALL: [Self; 12] = [
        Self::BadRequest,
        Self::Cancelled,
        Self::ConnectFailure,
        Self::Credentials,
        Self::NotFound,
        Self::Ok,
        Self::Overloaded,
        Self::Quota,
        Self::RateLimited,
        Self::ServerError,
        Self::Timeout,
        Self::Truncated,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Cancelled => "cancelled",
            Self::ConnectFailure => "connect_failure",
            Self::Credentials => "credentials",
            Self::NotFound => "not_found",
            Self::Ok => "ok",
            Self::Overloaded => "overloaded",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Truncated => "truncated",
        }
    }
}
