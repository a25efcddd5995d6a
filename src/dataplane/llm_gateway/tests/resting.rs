//! Upstreams that are left alone, and how load is shared.

use std::time::Duration;

use agentkube_testkit::{Reply, Upstream, within};
use serde_json::json;

use super::kit::{Rig, behaving, openai, plan, two};

#[tokio::test]
async fn an_open_breaker_leaves_the_upstream_alone() {
    let (first, second, mut plan) = two(behaving("broken")).await;
    plan.routing.breaker.failures = 3;
    let rig = Rig::new(plan).await;
    for _ in 0..6 {
        assert_eq!(rig.chat("gpt-5.1").await.status, 200);
    }
    assert_eq!(first.requests().len(), 3);
    assert_eq!(second.requests().len(), 6);
}

#[tokio::test]
async fn a_breaker_is_of_one_model() {
    let upstream = Upstream::start(|request| match request.model().as_str() {
        "bad" => Reply::status(500),
        _ => behaving("ok")(request),
    })
    .await;
    let mut spec = openai("primary", &upstream);
    spec.models = vec!["bad".into(), "good".into()];
    let mut plan = plan(vec![spec]);
    plan.routing.breaker.failures = 1;
    let rig = Rig::new(plan).await;
    assert_eq!(rig.chat("bad").await.status, 502);
    let resting = rig.chat("bad").await;
    assert_eq!(resting.status, 503);
    assert_eq!(resting.header("retry-after"), "30");
    assert!(
        resting.message().contains("left alone"),
        "{}",
        resting.message()
    );
    assert_eq!(rig.chat("good").await.status, 200);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_probe_that_is_rate_limited_found_the_upstream_up() {
    let upstream = Upstream::start(|request| match request.number {
        0 => Reply::status(500),
        1 => Reply::status(429),
        _ => behaving("ok")(request),
    })
    .await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.breaker.failures = 1;
    plan.routing.breaker.cooldown = Duration::from_millis(300);
    let rig = Rig::new(plan).await;
    assert_eq!(rig.chat("gpt-5.1").await.status, 502);
    let probed = async {
        loop {
            let status = rig.chat("gpt-5.1").await.status;
            if status != 503 {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within("the probe", probed).await, 429);
    assert_eq!(
        rig.chat("gpt-5.1").await.status,
        200,
        "not another cooldown"
    );
}

#[tokio::test]
async fn a_probe_is_one_request() {
    let upstream = Upstream::start(behaving("broken")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.retries.attempts = 2;
    plan.routing.breaker.failures = 1;
    plan.routing.breaker.cooldown = Duration::from_millis(300);
    let rig = Rig::new(plan).await;
    assert_eq!(rig.chat("gpt-5.1").await.status, 502);
    assert_eq!(
        upstream.requests().len(),
        3,
        "tried again while it is thought well"
    );
    let probed = async {
        while rig.chat("gpt-5.1").await.status == 503 {
            tokio::task::yield_now().await;
        }
    };
    within("the probe", probed).await;
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_probe_that_brings_an_error_under_200_found_nothing() {
    let failure = json!({"error": {"message": "no", "type": "server_error"}});
    let upstream = Upstream::start(move |_| Reply::json(200, &failure)).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.breaker.failures = 2;
    plan.routing.breaker.cooldown = Duration::from_secs(1);
    let rig = Rig::new(plan).await;
    for status in [502, 502, 503] {
        assert_eq!(rig.chat("gpt-5.1").await.status, status);
    }
    let probed = async {
        while rig.chat("gpt-5.1").await.status == 503 {
            tokio::task::yield_now().await;
        }
    };
    within("the probe", probed).await;
    assert_eq!(rig.chat("gpt-5.1").await.status, 503, "another cooldown");
}

#[tokio::test]
async fn bad_requests_never_open_a_breaker() {
    let upstream = Upstream::start(behaving("badrequest")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.breaker.failures = 1;
    let rig = Rig::new(plan).await;
    for _ in 0..3 {
        assert_eq!(rig.chat("gpt-5.1").await.status, 400);
    }
}

#[tokio::test]
async fn streams_that_are_cut_open_the_breaker() {
    let (first, _second, mut plan) = two(behaving("cut")).await;
    plan.routing.breaker.failures = 2;
    let rig = Rig::new(plan).await;
    for _ in 0..2 {
        rig.chat_stream("gpt-5.1").await;
    }
    let answer = rig.chat_stream("gpt-5.1").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    assert_eq!(first.requests().len(), 2);
}

#[tokio::test]
async fn an_upstream_that_asks_for_time_comes_last() {
    let (first, second, plan) = two(behaving("ratelimited")).await;
    let rig = Rig::new(plan).await;
    for _ in 0..3 {
        assert_eq!(rig.chat("gpt-5.1").await.status, 200);
    }
    assert_eq!(first.requests().len(), 1);
    assert_eq!(second.requests().len(), 3);
}

#[tokio::test]
async fn weights_share_the_load_within_a_priority() {
    let heavy = Upstream::by_model().await;
    let light = Upstream::by_model().await;
    let never = Upstream::by_model().await;
    let mut specs = vec![
        openai("heavy", &heavy),
        openai("light", &light),
        openai("never", &never),
    ];
    specs[0].weight = 9;
    specs[2].priority = 2;
    let rig = Rig::new(plan(specs)).await;
    for _ in 0..200 {
        rig.chat("gpt-5.1").await;
    }
    let share = heavy.requests().len();
    // 200 draws at 0.9: outside of this once in 10^7 runs.
    assert!((150..=199).contains(&share), "{share}");
    assert_eq!(share + light.requests().len(), 200);
    assert!(never.requests().is_empty());
}
