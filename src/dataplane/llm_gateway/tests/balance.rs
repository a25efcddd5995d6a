//! Which of several equal upstreams is asked, and how often.

use agentkube_plan::Provider;
use agentkube_testkit::{Reply, Upstream};
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::kit::{Rig, behaving, chat, mk_upstream, openai, plan, post};
use crate::llm_gateway::load;

const HI: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";

#[tokio::test]
async fn an_upstream_with_much_to_do_gets_less() {
    let busy = Upstream::start(|_| Reply::sse().chunk(HI).stall()).await;
    let idle = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("busy", &busy)])).await;
    // It holds twenty streams before the other one is there.
    let mut held = Vec::new();
    for _ in 0..20 {
        let asked = json!({"model": "gpt-5.1", "stream": true});
        held.push(rig.open(chat(&asked)).await);
    }
    let both = plan(vec![openai("busy", &busy), openai("idle", &idle)]);
    let (clients, secrets) = (super::kit::clients(), super::kit::provider_secrets());
    rig.source.replace(both, &clients, secrets).unwrap();
    let mut gateway = rig.gateway.clone();
    gateway.reload();
    let route = gateway.table.load().find("gpt-5.1").unwrap();
    let shares: Vec<u64> = route
        .candidates()
        .iter()
        .map(|candidate| load::share(candidate, Instant::now()))
        .collect();
    assert_eq!(shares[0], shares[1] / 21, "{shares:?}");
}

#[tokio::test]
async fn an_engine_with_a_queue_gets_less() {
    let metrics = "vllm:num_requests_running{engine=\"0\"} 8.0\n\
                   vllm:num_requests_waiting{engine=\"0\"} 1.0\n\
                   vllm:kv_cache_usage_perc{engine=\"0\"} 0.99\n";
    let full = Upstream::start(move |request| match request.path.as_str() {
        "/metrics" => Reply::text(200, "text/plain", metrics),
        _ => behaving("ok")(request),
    })
    .await;
    let free = Upstream::by_model().await;
    let vllm =
        |name: &str, upstream: &Upstream| mk_upstream(name, Provider::Vllm, upstream.url("/v1"));
    let rig = Rig::new(plan(vec![vllm("full", &full), vllm("free", &free)])).await;
    let table = rig.gateway.table.load_full();
    load::refresh::<crate::upstream::TlsRoots>(&table.upstreams).await;
    let route = table.find("gpt-5.1").unwrap();
    let shares: Vec<u64> = route
        .candidates()
        .iter()
        .map(|candidate| load::share(candidate, Instant::now()))
        .collect();
    assert_eq!(shares[0], shares[1] / 10 / 4, "{shares:?}");
    assert_eq!(full.requests()[0].path, "/metrics");
}

#[tokio::test]
async fn retries_add_little_to_the_load_of_an_upstream_that_is_down() {
    let upstream = Upstream::start(behaving("broken")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 1;
    plan.routing.breaker.failures = 1_000;
    let rig = Rig::new(plan).await;
    for _ in 0..40 {
        rig.chat("gpt-5.1").await;
    }
    let asked = upstream.requests().len();
    // 10 from the start, 8 earned by 40 requests, and what a slow machine's
    // seconds earn.
    assert!((40 + 17..80).contains(&asked), "{asked}");
}

#[tokio::test]
async fn bodies_that_leave_no_room_are_503() {
    let upstream = Upstream::start(|_| Reply::status(200).stall()).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let large = || {
        let text = "x".repeat(50 * 1024);
        let body = json!({"model": "gpt-5.1", "messages": [{"role": "user", "content": text}]});
        post("/v1/chat/completions", body.to_string())
    };
    let held: Vec<_> = (0..2)
        .map(|_| tokio::spawn(tower::ServiceExt::oneshot(rig.gateway.service(), large())))
        .collect();
    upstream.request(1).await;
    let answer = rig.call(large()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.message().contains("too many request bodies"));
    held.iter().for_each(tokio::task::JoinHandle::abort);
}
