//! Streams on their way: chunk by chunk, cut, stalled, abandoned.

use std::time::Duration;

use agentkube_testkit::{Gate, Outcome, Reply, Upstream, eventually, within};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::kit::{Rig, anthropic, chat, messages, openai, plan};
use crate::edge::Body;

const CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";

async fn next(body: &mut Body) -> String {
    let frame = within("a frame", body.frame()).await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

fn streaming(model: &str) -> Value {
    json!({"model": model, "stream": true})
}

#[tokio::test]
async fn a_stream_arrives_chunk_by_chunk() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |_| {
        Reply::sse()
            .chunk(CHUNK)
            .gate(&held)
            .chunk("data: [DONE]\n\n")
    })
    .await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let mut body = rig.open(chat(&streaming("gpt-5.1"))).await.into_body();
    assert_eq!(next(&mut body).await, CHUNK, "while the upstream is held");
    gate.open();
    assert_eq!(next(&mut body).await, "data: [DONE]\n\n");
    assert!(within("the end", body.frame()).await.is_none());
}

#[tokio::test]
async fn a_cut_chat_stream_ends_in_an_error_and_never_in_done() {
    let upstream = Upstream::start(|_| {
        // The cut is in the middle of an event.
        Reply::sse().chunk(CHUNK).chunk("data: {\"choi").cut()
    })
    .await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat_stream("gpt-5.1").await;
    assert_eq!(answer.status, 200);
    let events: Vec<&str> = answer.text().split_terminator("\n\n").collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(format!("{}\n\n", events[0]), CHUNK);
    let error: Value = serde_json::from_str(events[1].strip_prefix("data: ").unwrap()).unwrap();
    assert!(error["error"]["message"].is_string());
    assert!(!answer.text().contains("[DONE]"));
    let labels = ["outcome=\"truncated\""];
    assert_eq!(rig.metric("agentkube_llm_attempts_total", &labels), 1.0);
}

#[tokio::test]
async fn a_cut_messages_stream_ends_in_an_error_and_never_in_message_stop() {
    let upstream = Upstream::by_model().await;
    let mut spec = anthropic("claude", &upstream);
    spec.models = vec!["cut-*".into(), "unfinished-*".into()];
    let rig = Rig::new(plan(vec![spec])).await;
    for model in ["cut-1", "unfinished-1"] {
        let answer = rig.call(messages(&streaming(model))).await;
        let last = answer.text().trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("event: error\n"), "{model}: {last}");
        assert!(!answer.text().contains("message_stop"));
    }
}

#[tokio::test]
async fn a_stream_that_stalls_is_given_up_after_the_idle_time() {
    let upstream = Upstream::start(|_| Reply::sse().chunk(CHUNK).stall()).await;
    let mut spec = openai("primary", &upstream);
    spec.timeouts.idle = Duration::from_millis(50);
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = within("an end", rig.chat_stream("gpt-5.1")).await;
    assert!(
        answer.text().contains("stopped sending"),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("[DONE]"));
    assert_eq!(upstream.outcome(0).await, Outcome::ClientGone);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_upstream_and_is_settled() {
    let upstream = Upstream::by_model().await;
    let mut spec = anthropic("claude", &upstream);
    spec.models = vec!["stall".into()];
    let rig = Rig::new(plan(vec![spec])).await;
    let mut body = rig.open(messages(&streaming("stall"))).await.into_body();
    next(&mut body).await;
    assert_eq!(rig.metric("agentkube_requests_in_flight", &[]), 1.0);
    drop(body);
    assert_eq!(upstream.outcome(0).await, Outcome::ClientGone);
    let labels = ["outcome=\"cancelled\""];
    assert_eq!(rig.metric("agentkube_llm_attempts_total", &labels), 1.0);
    // message_start told what the prompt cost.
    assert_eq!(
        rig.metric("agentkube_llm_tokens_total", &["type=\"input\""]),
        11.0
    );
    assert_eq!(
        rig.metric("agentkube_requests_total", &["code=\"aborted\""]),
        1.0
    );
    assert_eq!(rig.metric("agentkube_requests_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_head_cancels_the_upstream() {
    let upstream = Upstream::start(|_| Reply::sse().head().stall()).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let call = tokio::spawn({
        let service = rig.gateway.service();
        tower::ServiceExt::oneshot(service, chat(&streaming("gpt-5.1")))
    });
    upstream.request(0).await;
    call.abort();
    assert_eq!(upstream.outcome(0).await, Outcome::ClientGone);
    eventually("the account is settled", async || {
        let labels = ["outcome=\"cancelled\""];
        (rig.metric("agentkube_llm_attempts_total", &labels) == 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_finished_stream_leaves_its_connection_to_the_next_request() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    for number in 0..3 {
        rig.chat_stream("gpt-5.1").await;
        assert_eq!(upstream.request(number).await.connection, 0);
    }
}

#[tokio::test]
async fn an_error_in_the_middle_passes_and_nothing_follows() {
    let upstream = Upstream::by_model().await;
    let mut spec = openai("primary", &upstream);
    spec.models = vec!["miderror".into()];
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = rig.chat_stream("miderror").await;
    let last = answer.text().trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("data: {\"error\":"), "{last}");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn after_the_terminator_the_client_is_not_kept_waiting() {
    let upstream =
        Upstream::start(|_| Reply::sse().chunk(CHUNK).chunk("data: [DONE]\n\n").stall()).await;
    let mut spec = openai("primary", &upstream);
    spec.timeouts.idle = Duration::from_secs(600);
    let rig = Rig::new(plan(vec![spec])).await;
    let answer = within("an end", rig.chat_stream("gpt-5.1")).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let labels = ["outcome=\"ok\""];
    assert_eq!(rig.metric("agentkube_llm_attempts_total", &labels), 1.0);
}
