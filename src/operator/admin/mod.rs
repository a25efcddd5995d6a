//! `/livez`, `/readyz` and `/metrics` of the operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether this replica can answer the API server.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    /// The stores were filled once.
    pub(crate) synced: AtomicBool,
    /// A certificate is served.
    pub(crate) serving: AtomicBool,
    /// A shutdown is under way.
    pub(crate) ending: AtomicBool,
}

impl Readiness {
    fn missing(&self) -> Option<&'static str> {
        if self.ending.load(Ordering::Relaxed) {
            Some("shutting down")
        } else if !self.synced.load(Ordering::Relaxed) {
            Some("caches are not synced")
        } else if !self.serving.load(Ordering::Relaxed) {
            Some("the webhook server has no certificate")
        } else {
            None
        }
    }
}

#[derive(Clone)]
struct Shared {
    readiness: Arc<Readiness>,
    metrics: Metrics,
}

/// Serves until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Arc<Readiness>,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(readiness, metrics))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

fn router(readiness: Arc<Readiness>, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Shared { readiness, metrics })
}

async fn readyz(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    match shared.readiness.missing() {
        None => (StatusCode::OK, "ok"),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn text(State(shared): State<Shared>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, OPEN_METRICS)],
        shared.metrics.text(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_caches_and_a_certificate_and_ends_with_the_shutdown() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(), Some("caches are not synced"));
        readiness.synced.store(true, Ordering::Relaxed);
        assert_eq!(
            readiness.missing(),
            Some("the webhook server has no certificate")
        );
        readiness.serving.store(true, Ordering::Relaxed);
        assert_eq!(readiness.missing(), None);
        readiness.ending.store(true, Ordering::Relaxed);
        assert_eq!(readiness.missing(), Some("shutting down"));
    }
}
