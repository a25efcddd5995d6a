//! Streams that say nothing before they fail, and what answers call the model.

use std::time::Duration;

use agentkube_testkit::{Reply, Upstream, within};
use serde_json::json;

use super::kit::{Rig, anthropic, chat, messages, openai, plan, two};

const ROLE: &str = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const BUSY: &str = "data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n";
const HI: &str =
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n";
const DELTA: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n";

#[tokio::test]
async fn a_stream_that_fails_behind_its_announcement_fails_over() {
    for how in ["error", "done", "end", "cut", "stall"] {
        let (first, _second, mut plan) = two(move |_| {
            let reply = Reply::sse().chunk(": wait\n\n").chunk(ROLE);
            match how {
                "error" => reply.chunk(BUSY),
                "done" => reply.chunk("data: [DONE]\n\n"),
                "cut" => reply.cut(),
                "stall" => reply.stall(),
                _ => reply,
            }
        })
        .await;
        plan.upstreams[0].timeouts.first_token = Duration::from_millis(50);
        let rig = Rig::new(plan).await;
        let answer = within(how, rig.chat_stream("gpt-5.1")).await;
        assert_eq!(answer.header("x-agentkube-upstream"), "backup", "{how}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{how}");
        assert_eq!(first.requests().len(), 1, "{how}");
    }
}

#[tokio::test]
async fn what_was_held_back_reaches_the_client_in_order() {
    let upstream = Upstream::start(|_| {
        let reply = Reply::sse().chunk(": wait\n\n").chunk(ROLE);
        reply.chunk(HI).chunk("data: [DONE]\n\n")
    })
    .await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat_stream("gpt-5.1").await;
    let expected = [": wait\n\n", ROLE, HI, "data: [DONE]\n\n"].concat();
    assert_eq!(
        answer.text(),
        expected.replace("\"m\"", "\"gpt-5.1\""),
        "comments pass, and the model is the one that is served"
    );
}

#[tokio::test]
async fn a_translated_stream_that_only_starts_fails_over() {
    let first = Upstream::start(|_| Reply::sse().chunk(START).stall()).await;
    let second = Upstream::by_model().await;
    let mut backup = openai("backup", &second);
    backup.priority = 2;
    let mut claude = anthropic("claude", &first);
    claude.timeouts.first_token = Duration::from_millis(50);
    let rig = Rig::new(plan(vec![claude, backup])).await;
    let answer = within("an answer", rig.chat_stream("gpt-5.1")).await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
}

#[tokio::test]
async fn every_answer_names_the_served_model() {
    let upstream = Upstream::start(|request| {
        let streamed = request.body.windows(13).any(|w| w == b"\"stream\":true");
        match (request.path.as_str(), streamed) {
            ("/v1/messages", false) => Reply::json(200, &json!({"model": "m", "usage": {}})),
            ("/v1/messages", true) => Reply::sse().chunk(START).chunk(DELTA),
            (_, false) => Reply::json(200, &json!({"choices": [], "model": "m"})),
            (_, true) => Reply::sse().chunk(ROLE).chunk(HI),
        }
    })
    .await;
    let mut chatting = openai("chat", &upstream);
    chatting.models = vec!["gpt-5.1".into()];
    let mut claude = anthropic("claude", &upstream);
    claude.models = vec!["opus".into()];
    let rig = Rig::new(plan(vec![chatting, claude])).await;
    // By its alias.
    let answer = rig.chat("fast").await;
    assert_eq!(answer.json()["model"], "gpt-5.1");
    let answer = rig.call(messages(&json!({"model": "opus"}))).await;
    assert_eq!(answer.json()["model"], "opus");
    let asked = json!({"model": "fast", "stream": true});
    let answer = rig.call(chat(&asked)).await;
    assert_eq!(answer.text().matches("\"model\":\"gpt-5.1\"").count(), 2);
    assert!(!answer.text().contains("\"model\":\"m\""));
    let asked = json!({"model": "opus", "stream": true});
    let answer = rig.call(messages(&asked)).await;
    assert!(answer.text().contains("\"model\":\"opus\""));
    assert!(!answer.text().contains("\"model\":\"m\""));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_success() {
    let upstream = Upstream::start(|_| Reply::sse().chunk(HI).cut()).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat_stream("gpt-5.1").await;
    assert_eq!(answer.status, 200, "the head was sent");
    let counted = rig.metric("agentkube_requests_total", &["code=\"5xx\""]);
    assert_eq!(counted, 1.0);
}
