//! A whole gateway pod: mounted files, two listeners, a drain.

use std::fs;
use std::time::Duration;

use agentkube_plan::DigestReport;
use agentkube_testkit::{Upstream, eventually, within};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::kit::{chat, clients, openai, plan};
use crate::edge::Drain;
use crate::llm_gateway::run_gateway;

async fn send(base: &str, mut request: Request<Full<Bytes>>) -> Response<Bytes> {
    let uri = format!("{base}{}", request.uri().path());
    *request.uri_mut() = uri.parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = within("an answer", client.request(request)).await.unwrap();
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

async fn get(base: &str, path: &str) -> Response<Bytes> {
    send(base, Request::get(path).body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn a_pod_serves_its_mounted_plan_until_the_drain() {
    let upstream = Upstream::by_model().await;
    let dir = TempDir::new().unwrap();
    for part in ["plan", "clients", "secrets/provider"] {
        fs::create_dir_all(dir.path().join(part)).unwrap();
    }
    let traffic = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (traffic_url, admin_url) = (url(&traffic), url(&admin));
    let drain = Drain::new(Duration::from_secs(20));
    let path = dir.path().to_owned();
    let pod = tokio::spawn({
        let drain = drain.clone();
        async move { run_gateway(&path, traffic, admin, drain).await }
    });

    assert_eq!(get(&admin_url, "/livez").await.status(), 200);
    assert_eq!(
        get(&admin_url, "/readyz").await.status(),
        503,
        "no plan yet"
    );
    assert_eq!(get(&admin_url, "/plan").await.status(), 404, "not in a pod");

    let plan = serde_json::to_string(&plan(vec![openai("primary", &upstream)])).unwrap();
    let table = serde_json::to_string(&clients()).unwrap();
    fs::write(dir.path().join("clients/clients.json"), table).unwrap();
    fs::write(dir.path().join("secrets/provider/api-key"), "sk-mounted\n").unwrap();
    fs::write(dir.path().join("plan/plan.json"), plan).unwrap();
    eventually("it is ready", async || {
        (get(&admin_url, "/readyz").await.status() == 200).then_some(())
    })
    .await;

    let answer = send(&traffic_url, chat(&json!({"model": "gpt-5.1"}))).await;
    assert_eq!(answer.status(), 200);
    let seen = upstream.request(0).await;
    assert_eq!(seen.header("authorization"), Some("Bearer sk-mounted"));
    let report = get(&admin_url, "/digest").await;
    let report: DigestReport = serde_json::from_slice(report.body()).unwrap();
    assert_eq!(report.plan.rejected, None);
    assert!(report.clients.is_some());
    assert_eq!(report.upstreams[0].reachable, Some(true));
    let metrics = get(&admin_url, "/metrics").await;
    assert!(String::from_utf8_lossy(metrics.body()).contains("agentkube_llm_tokens_total"));

    drain.start();
    within("the end", pod).await.unwrap().unwrap();
    assert!(
        tokio::net::TcpStream::connect(traffic_url.trim_start_matches("http://"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_pod_that_never_got_a_plan_drains_too() {
    let dir = TempDir::new().unwrap();
    let traffic = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let drain = Drain::new(Duration::from_secs(1));
    drain.start();
    let pod = run_gateway(dir.path(), traffic, admin, drain);
    within("the end", pod).await.unwrap();
}
