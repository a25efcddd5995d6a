//! The request metrics of both planes. Labels are enums and object names, never
//! anything from a request. Rows are resolved once an object, so that counting
//! a request is a few atomic additions.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use agentkube_plan::ObjectName;
use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::RouteLabel;

/// Seconds: from a refused request to a long completion.
const DURATION_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// The kind of object that a data plane serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// An `LLMGateway`.
    LlmGateway,
    /// An `MCP`.
    Mcp,
}

/// Which object a metric is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObjectLabels {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The metrics of every object that this process serves.
#[derive(Clone, Debug)]
pub struct EdgeMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<ObjectLabels, Gauge>,
}

/// The metrics of one object.
#[derive(Debug)]
pub struct ObjectMetrics<R> {
    rows: Arc<[Arc<Row>]>,
    route: PhantomData<fn() -> R>,
}

/// The metrics of one route of one object.
#[derive(Debug)]
pub(super) struct Row {
    classes: [Counter; Class::ALL.len()],
    pub(super) duration: Histogram,
    pub(super) in_flight: Gauge,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// 1xx to 3xx.
    Success,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// The client went away, or the answer was cut.
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    kind: ObjectKind,
    namespace: String,
    name: String,
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: ObjectKind,
    namespace: String,
    name: String,
    route: &'static str,
    code: &'static str,
}

impl ObjectKind {
    /// As it is printed: `llmgateway`, `mcp`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LlmGateway => "llmgateway",
            Self::Mcp => "mcp",
        }
    }
}

impl EncodeLabelValue for ObjectKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

impl ObjectLabels {
    /// The labels of an object.
    #[must_use]
    pub fn new(kind: ObjectKind, object: &ObjectName) -> Self {
        Self {
            kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    }
}

impl EdgeMetrics {
    /// Registers the request metrics. Once a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            in_flight: Family::default(),
        };
        registry.register(
            "agentkube_requests",
            "Requests answered, by how they ended",
            metrics.requests.clone(),
        );
        registry.register(
            "agentkube_request_duration_seconds",
            "From the head of a request to the last byte of its answer",
            metrics.duration.clone(),
        );
        registry.register(
            "agentkube_requests_in_flight",
            "Requests under way, streamed answers included",
            metrics.in_flight.clone(),
        );
        metrics
    }

    /// The metrics of one object; the same rows for the same object.
    #[must_use]
    pub fn object<R: RouteLabel>(&self, labels: &ObjectLabels) -> ObjectMetrics<R> {
        let row = |route: &R| Arc::new(self.row(labels, route.as_str()));
        ObjectMetrics {
            rows: R::ALL.iter().map(row).collect(),
            route: PhantomData,
        }
    }

    fn row(&self, object: &ObjectLabels, route: &'static str) -> Row {
        let ObjectLabels {
            kind,
            namespace,
            name,
        } = object.clone();
        let of_route = RouteLabels {
            kind,
            namespace: namespace.clone(),
            name: name.clone(),
            route,
        };
        let classes = Class::ALL.map(|class| {
            let labels = RequestLabels {
                kind,
                namespace: namespace.clone(),
                name: name.clone(),
                route,
                code: class.as_str(),
            };
            self.requests.get_or_create(&labels).clone()
        });
        Row {
            classes,
            duration: self.duration.get_or_create(&of_route).clone(),
            in_flight: self.in_flight.get_or_create(object).clone(),
        }
    }
}

impl<R> Clone for ObjectMetrics<R> {
    fn clone(&self) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            route: PhantomData,
        }
    }
}

impl<R: RouteLabel> ObjectMetrics<R> {
    #[expect(
        clippy::indexing_slicing,
        reason = "one row for each of RouteLabel::ALL"
    )]
    pub(super) fn row(&self, route: R) -> Arc<Row> {
        Arc::clone(&self.rows[route.index()])
    }
}

impl Row {
    pub(super) fn count(&self, class: Class) {
        let [success, client, server, aborted] = &self.classes;
        match class {
            Class::Success => success,
            Class::ClientError => client,
            Class::ServerError => server,
            Class::Aborted => aborted,
        }
        .inc();
    }
}

impl Class {
    const ALL: [Self; 4] = [
        Self::Success,
        Self::ClientError,
        Self::ServerError,
        Self::Aborted,
    ];

    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            ..400 => Self::Success,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Aborted => "aborted",
        }
    }
}
