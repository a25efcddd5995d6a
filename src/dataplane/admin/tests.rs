//! The answers of the admin server.

use std::sync::Arc;

use agentkube_plan::{DigestReport, LoadedDigest, ObjectName, PlanDigest};
use http::{Request, Response};
use http_body_util::BodyExt;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::{Admin, PlaneStatus};
use crate::edge::{Body, ObjectKind, ObjectLabels};

struct Served(&'static str);

impl PlaneStatus for Served {
    fn object(&self) -> Option<ObjectLabels> {
        let object = ObjectName {
            namespace: "platform".to_owned(),
            name: self.0.to_owned(),
        };
        Some(ObjectLabels::new(ObjectKind::LlmGateway, &object))
    }

    fn ready(&self) -> bool {
        true
    }

    fn digest(&self) -> Option<DigestReport> {
        Some(DigestReport {
            plan: LoadedDigest {
                digest: PlanDigest::of(self.0.as_bytes()),
                rejected: None,
            },
            clients: None,
            upstreams: Vec::new(),
        })
    }

    fn plan(&self) -> Option<Value> {
        Some(json!({"name": self.0}))
    }
}

fn get(admin: &Admin, path: &str, draining: bool) -> Response<Body> {
    admin.answer(&Request::get(path).body(()).unwrap(), draining)
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn ready_only_with_a_plan_and_without_a_drain() {
    let admin = Admin::new(Registry::default());
    assert_eq!(get(&admin, "/readyz", false).status(), 503);
    assert_eq!(get(&admin, "/livez", false).status(), 200);
    admin.set_planes(vec![Arc::new(Served("a"))]);
    assert_eq!(get(&admin, "/readyz", false).status(), 200);
    assert_eq!(get(&admin, "/readyz", true).status(), 503);
    assert_eq!(get(&admin, "/livez", true).status(), 200);
}

#[tokio::test]
async fn one_object_reports_itself_and_several_by_name() {
    let admin = Admin::new(Registry::default());
    assert_eq!(get(&admin, "/digest", false).status(), 503);
    admin.set_planes(vec![Arc::new(Served("a"))]);
    let report = text(get(&admin, "/digest", false)).await;
    let report: DigestReport = serde_json::from_str(&report).unwrap();
    assert_eq!(report.plan.digest, PlanDigest::of(b"a"));
    admin.set_planes(vec![Arc::new(Served("a")), Arc::new(Served("b"))]);
    let reports: Value = serde_json::from_str(&text(get(&admin, "/digest", false)).await).unwrap();
    let digest = reports["llmgateway platform/b"]["plan"]["digest"].as_str();
    assert_eq!(digest, Some(PlanDigest::of(b"b").as_str()));
}

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let mut registry = Registry::default();
    let counter: Counter = Counter::default();
    registry.register("seen", "What was seen", counter.clone());
    counter.inc();
    let response = get(&Admin::new(registry), "/metrics", false);
    let content_type = response.headers()["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let text = text(response).await;
    assert!(
        text.contains("seen_total 1\n") && text.ends_with("# EOF\n"),
        "{text}"
    );
}

#[tokio::test]
async fn plans_are_shown_on_loopback_only() {
    let admin = Admin::new(Registry::default());
    admin.set_planes(vec![Arc::new(Served("a"))]);
    assert_eq!(get(&admin, "/plan", false).status(), 404);
    let admin = Admin::on_loopback(Registry::default());
    admin.set_planes(vec![Arc::new(Served("a"))]);
    let plans: Value = serde_json::from_str(&text(get(&admin, "/plan", false)).await).unwrap();
    assert_eq!(plans["llmgateway platform/a"]["name"], "a");
}

#[test]
fn only_get_is_answered() {
    let admin = Admin::new(Registry::default());
    let response = admin.answer(&Request::post("/metrics").body(()).unwrap(), false);
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET");
}
