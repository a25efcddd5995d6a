//! The admin server: what the kubelet, Prometheus and the operator ask.
//!
//! `/livez` the process answers · `/readyz` a plan is loaded and no drain is on ·
//! `/metrics` OpenMetrics text · `/digest` what is served. Where only this
//! machine can reach it (`agentkube run`), `/plan` too.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use agentkube_plan::DigestReport;
use arc_swap::ArcSwap;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::edge::{Body, Drain, ObjectLabels, serve};

/// What a plane tells the admin server.
pub trait PlaneStatus: Send + Sync {
    /// The object being served; `None` until a first plan was loaded.
    fn object(&self) -> Option<ObjectLabels>;

    /// True once a plan is loaded.
    fn ready(&self) -> bool;

    /// What is served; `None` until a first plan was loaded.
    fn digest(&self) -> Option<DigestReport>;

    /// The plan itself. It holds no secret values.
    fn plan(&self) -> Option<Value>;
}

/// The planes of this process and their metrics. Clones share them.
#[derive(Clone)]
pub struct Admin {
    registry: Arc<Registry>,
    planes: Arc<ArcSwap<Vec<Arc<dyn PlaneStatus>>>>,
    plans_shown: bool,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    /// For a pod: no `/plan`.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
            planes: Arc::default(),
            plans_shown: false,
        }
    }

    /// For a loopback listener: with `/plan`.
    #[must_use]
    pub fn on_loopback(registry: Registry) -> Self {
        Self {
            plans_shown: true,
            ..Self::new(registry)
        }
    }

    /// The planes from now on.
    pub fn set_planes(&self, planes: Vec<Arc<dyn PlaneStatus>>) {
        self.planes.store(Arc::new(planes));
    }

    /// Serves until `stop`. While `traffic` drains, `/readyz` says no, so that no
    /// new connections are sent here.
    pub async fn serve(self, listener: TcpListener, traffic: Drain, stop: Drain) {
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let response = self.answer(&request, traffic.is_started());
            std::future::ready(Ok::<_, Infallible>(response))
        });
        serve(listener, service, stop).await;
    }

    fn answer<B>(&self, request: &Request<B>, draining: bool) -> Response<Body> {
        if request.method() != Method::GET {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            let allow = HeaderValue::from_static("GET");
            response.headers_mut().insert(ALLOW, allow);
            return response;
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readyz(draining),
            "/metrics" => self.metrics(),
            "/digest" => self.digest(),
            "/plan" if self.plans_shown => self.plan(),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /livez /readyz /metrics /digest\n",
            ),
        }
    }

    fn readyz(&self, draining: bool) -> Response<Body> {
        let planes = self.planes.load();
        if draining {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        } else if planes.is_empty() || planes.iter().any(|plane| !plane.ready()) {
            text(StatusCode::SERVICE_UNAVAILABLE, "no plan is loaded yet\n")
        } else {
            text(StatusCode::OK, "ok\n")
        }
    }

    fn metrics(&self) -> Response<Body> {
        let mut out = String::new();
        match encode(&mut out, &self.registry) {
            Ok(()) => typed(
                StatusCode::OK,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                out,
            ),
            Err(error) => {
                tracing::error!(%error, "cannot print metrics");
                text(StatusCode::INTERNAL_SERVER_ERROR, "cannot print metrics\n")
            }
        }
    }

    /// One object: its report. Several (`agentkube run`): reports by object.
    fn digest(&self) -> Response<Body> {
        let planes = self.planes.load();
        let report = |plane: &Arc<dyn PlaneStatus>| {
            plane.digest().and_then(|r| serde_json::to_value(r).ok())
        };
        let body = match planes.as_slice() {
            [] => None,
            [plane] => report(plane),
            planes => Some(by_object(planes, |plane| report(plane))),
        };
        match body {
            Some(body) => json(&body),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "no plan is loaded yet\n"),
        }
    }

    fn plan(&self) -> Response<Body> {
        json(&by_object(&self.planes.load(), |plane| plane.plan()))
    }
}

fn by_object(
    planes: &[Arc<dyn PlaneStatus>],
    value: impl Fn(&Arc<dyn PlaneStatus>) -> Option<Value>,
) -> Value {
    let named = planes.iter().filter_map(|plane| {
        let ObjectLabels {
            kind,
            namespace,
            name,
        } = plane.object()?;
        Some((
            format!("{} {namespace}/{name}", kind.as_str()),
            value(plane)?,
        ))
    });
    Value::Object(named.collect::<Map<_, _>>())
}

fn json(value: &Value) -> Response<Body> {
    typed(StatusCode::OK, "application/json", value.to_string())
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", body.to_owned())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests;
