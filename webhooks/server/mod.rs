//! The webhook server: routes, layers, and nothing that decides.
//!
//! ```text
//! POST /mutate/{kind}     defaults and, for bad objects, the denial with all causes
//! POST /validate/{kind}   the same checks on the final object
//! POST /mutate/pods       wiring
//! GET  /livez /readyz
//! ```
//!
//! An object, however bad, is answered with 200 and a verdict; only a call that
//! is no AdmissionReview at all gets an HTTP error.

mod confirm;
mod handler;
mod metrics;
mod rights;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::admit::Install;
use crate::config::TIMEOUT_SECONDS;
use crate::lookup::Lookup;

pub use confirm::{Confirm, ConfirmError};
pub use metrics::Metrics;
pub use rights::Rights;
pub use serve::serve;

/// An AdmissionReview carries an object and its predecessor, each up to 1.5 MiB
/// as the API server counts, more as JSON.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Below what the API server waits, so that it gets an answer that says what
/// happened.
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_SECONDS as u64 * 1000 - 300);

/// What the server answers from.
#[derive(Clone)]
pub struct Webhooks {
    /// What is known without asking.
    pub lookup: Arc<dyn Lookup>,
    /// Who is asked about what is not known.
    pub confirm: Arc<dyn Confirm>,
    /// Who is asked what a requester may do.
    pub rights: Arc<dyn Rights>,
    /// What the installation decides.
    pub install: Arc<Install>,
    /// Where calls are counted.
    pub metrics: Metrics,
    /// True once the index in memory is complete. Before, a missing object might
    /// only not have been read yet.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The routes with their layers.
pub fn router(mut webhooks: Webhooks) -> Router {
    webhooks.install = Arc::new(webhooks.install.settled());
    Router::new()
        .route("/mutate/pods", post(handler::wire_pod))
        .route("/mutate/{kind}", post(handler::mutate))
        .route("/validate/{kind}", post(handler::validate))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            TIMEOUT,
        ))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::new())
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(webhooks)
}

async fn readyz(State(webhooks): State<Webhooks>) -> (StatusCode, &'static str) {
    if (webhooks.ready)() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the objects of the cluster are still being read\n",
        )
    }
}

#[cfg(test)]
mod tests;
