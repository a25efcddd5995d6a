//! Plans, Secrets and discovered models that change under a running gateway.

use std::time::Duration;

use agentkube_plan::{Alias, GatewayUpstream, Provider, UnknownModel};
use agentkube_testkit::{Gate, Reply, Upstream, eventually};
use http_body_util::BodyExt;
use serde_json::json;

use super::kit::{Rig, behaving, chat, clients, get, openai, plan, provider_secrets};
use crate::edge::Drain;
use crate::source::Secrets;

/// Lets the gateway follow its source; the returned drain ends it.
fn follow(rig: &Rig) -> Drain {
    let drain = Drain::new(Duration::from_secs(1));
    tokio::spawn(rig.gateway.clone().follow(drain.clone()));
    drain
}

async fn eventually_chats(rig: &Rig, model: &str, status: u16) {
    eventually("the status changes", async || {
        (rig.chat(model).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_arrives_is_used_without_a_restart() {
    let upstream = Upstream::by_model().await;
    let plan = plan(vec![openai("primary", &upstream)]);
    let rig = Rig::with_secrets(plan.clone(), Secrets::new()).await;
    let drain = follow(&rig);
    assert_eq!(rig.chat("gpt-5.1").await.status, 503);
    rig.source
        .replace(plan, &clients(), provider_secrets())
        .unwrap();
    eventually_chats(&rig, "gpt-5.1", 200).await;
    drain.start();
}

#[tokio::test]
async fn a_bad_plan_is_refused_and_the_good_one_goes_on() {
    let upstream = Upstream::by_model().await;
    let good = plan(vec![openai("primary", &upstream)]);
    let rig = Rig::new(good.clone()).await;
    let drain = follow(&rig);
    let served = rig.gateway.status().digest().unwrap().plan.digest;

    let mut bad = good;
    bad.upstreams[0].base_url = "not a url".to_owned();
    rig.source
        .replace(bad, &clients(), provider_secrets())
        .unwrap_err();
    let report = rig.gateway.status().digest().unwrap();
    assert_eq!(report.plan.digest, served);
    assert!(report.plan.rejected.unwrap().contains("primary"));
    assert_eq!(rig.chat("gpt-5.1").await.status, 200);
    drain.start();
}

#[tokio::test]
async fn a_stream_outlives_the_plan_it_began_under() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |_| {
        let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
        Reply::sse()
            .chunk(chunk)
            .gate(&held)
            .chunk("data: [DONE]\n\n")
    })
    .await;
    let other = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let drain = follow(&rig);
    let body = json!({"model": "gpt-5.1", "stream": true});
    let response = rig.open(chat(&body)).await;

    let mut next = openai("other", &other);
    next.models = vec!["next".into()];
    rig.source
        .replace(plan(vec![next]), &clients(), provider_secrets())
        .unwrap();
    eventually_chats(&rig, "next", 200).await;
    gate.open();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes.ends_with(b"[DONE]\n\n"));
    assert_eq!(rig.chat("gpt-5.1").await.status, 404);
    drain.start();
}

#[tokio::test]
async fn a_breaker_outlives_a_plan_that_changes_something_else() {
    let upstream = Upstream::start(behaving("broken")).await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.routing.breaker.failures = 1;
    let rig = Rig::new(plan.clone()).await;
    let drain = follow(&rig);
    assert_eq!(rig.chat("gpt-5.1").await.status, 502);
    plan.upstreams[0].models.push("new".into());
    rig.source
        .replace(plan, &clients(), provider_secrets())
        .unwrap();
    eventually_chats(&rig, "new", 502).await;
    assert_eq!(rig.chat("gpt-5.1").await.status, 503, "still left alone");
    drain.start();
}

#[tokio::test]
async fn an_upstream_without_models_is_asked_for_them() {
    let upstream = Upstream::by_model().await;
    let mut spec = openai("local", &upstream);
    spec.provider = Provider::Vllm;
    spec.models = Vec::new();
    let rig = Rig::new(plan(vec![spec])).await;
    assert_eq!(rig.chat("discovered-a").await.status, 200);
    let answer = rig.chat("discovered-c").await;
    assert_eq!(answer.status, 404);
    assert!(answer.message().contains("discovered-a"));
}

fn discovering(name: &str, upstream: &Upstream) -> GatewayUpstream {
    GatewayUpstream {
        provider: Provider::Vllm,
        models: Vec::new(),
        ..openai(name, upstream)
    }
}

#[tokio::test]
async fn an_alias_leads_to_a_model_that_nobody_has_listed_yet() {
    let engine = Upstream::by_model().await;
    let other = Upstream::by_model().await;
    let mut plan = plan(vec![
        openai("other", &other),
        discovering("engine", &engine),
    ]);
    plan.routing.aliases.push(Alias {
        from: "small".into(),
        to: "just-pulled".to_owned(),
        upstream: Some("engine".to_owned()),
    });
    plan.routing.default_model = Some("just-pulled".to_owned());
    let rig = Rig::new(plan).await;
    for body in [json!({"model": "small"}), json!({})] {
        let answer = rig.call(chat(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-agentkube-upstream"), "engine");
        let seen = engine.requests();
        assert_eq!(seen.last().unwrap().model(), "just-pulled");
    }
    let listed = rig.call(get("/v1/models")).await;
    assert!(
        !listed.text().contains("small"),
        "nobody knows that it is served"
    );
    assert!(rig.metric("agentkube_llm_attempts_total", &["model=\"*\""]) > 0.0);
}

#[tokio::test]
async fn before_an_upstream_said_what_it_serves_it_is_asked_for_anything() {
    let script = behaving("gpt-5.1");
    let engine = Upstream::start(move |request| match request.route() {
        "/v1/models" => Reply::status(500),
        _ => script(request),
    })
    .await;
    let mut plan = plan(vec![discovering("engine", &engine)]);
    let rig = Rig::new(plan.clone()).await;
    assert_eq!(rig.chat("whatever").await.status, 200);
    // A default for what is unknown comes first.
    let other = Upstream::by_model().await;
    plan.upstreams.push(openai("other", &other));
    plan.routing.default_model = Some("gpt-5.1".to_owned());
    plan.routing.unknown_model = UnknownModel::Default;
    let rig = Rig::new(plan).await;
    let answer = rig.chat("whatever").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "other");
}
