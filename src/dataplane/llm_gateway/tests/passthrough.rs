//! What reaches an upstream, and what comes back.

use agentkube_testkit::{Reply, Upstream};
use serde_json::json;

use super::kit::{KEY, PROVIDER_KEY, Rig, anthropic, chat, messages, openai, plan};

#[tokio::test]
async fn only_model_and_credentials_are_rewritten() {
    let upstream = Upstream::by_model().await;
    let mut spec = openai("primary", &upstream);
    spec.model_names = [("gpt-5.1".to_owned(), "deployment-7".to_owned())].into();
    let rig = Rig::new(plan(vec![spec])).await;

    let mut request = chat(&json!(null));
    *request.body_mut() = br#"{ "unknown":[1, 2], "model" : "fast", "messages":[] }"#
        .as_slice()
        .into();
    let answer = rig.call(request).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = upstream.request(0).await;
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(
        seen.body,
        br#"{ "unknown":[1, 2], "model" : "deployment-7", "messages":[] }"#.as_slice()
    );
    assert_eq!(seen.header("authorization"), Some("Bearer sk-provider"));
    assert!(!format!("{:?}", seen.headers).contains(KEY));
    assert_eq!(answer.json()["model"], "gpt-5.1", "as it was asked for");
}

#[tokio::test]
async fn the_answer_says_who_gave_it() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat("fast").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "primary");
    assert_eq!(answer.header("x-agentkube-model"), "gpt-5.1");
    assert_eq!(answer.header("x-agentkube-attempts"), "1");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn anthropic_headers_and_query_pass_and_the_key_is_ours() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let mut request = messages(&json!({"model": "gpt-5.1", "max_tokens": 5}));
    *request.uri_mut() = "/v1/messages?beta=true".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("anthropic-version", "2026-10-21".parse().unwrap());
    headers.insert("anthropic-beta", "a,b".parse().unwrap());
    let answer = rig.call(request).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = upstream.request(0).await;
    assert_eq!(seen.path, "/v1/messages?beta=true");
    assert_eq!(seen.header("anthropic-version"), Some("2026-10-21"));
    assert_eq!(seen.header("anthropic-beta"), Some("a,b"));
    assert_eq!(seen.header("x-api-key"), Some(PROVIDER_KEY));
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn anthropic_is_told_a_version_when_the_client_names_none() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    rig.call(messages(&json!({"model": "gpt-5.1"}))).await;
    let seen = upstream.request(0).await;
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
}

#[tokio::test]
async fn a_stream_passes_byte_by_byte() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let body = json!({"model": "gpt-5.1", "stream": true});
    let through = rig.call(messages(&body)).await;
    let direct = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http();
    let mut request = messages(&body);
    *request.uri_mut() = upstream.url("/v1/messages").parse().unwrap();
    let direct = direct.request(request).await.unwrap();
    let direct = http_body_util::BodyExt::collect(direct.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert!(direct.ends_with(b"\n\n"));
    assert_eq!(through.body, direct);
}

#[tokio::test]
async fn usage_is_asked_for_counted_and_hidden() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat_stream("gpt-5.1").await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    assert!(!answer.text().contains("\"usage\":{"), "{}", answer.text());
    let seen = upstream.request(0).await.json();
    assert_eq!(seen["stream_options"]["include_usage"], true);
    let labels = ["upstream=\"primary\"", "model=\"gpt-5.1\""];
    let tokens = |kind| rig.metric("agentkube_llm_tokens_total", &[labels[0], labels[1], kind]);
    assert_eq!(tokens("type=\"input\""), 11.0);
    assert_eq!(tokens("type=\"output\""), 7.0);
}

#[tokio::test]
async fn a_whole_answer_is_counted() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    // Names behind a glob are labelled with the glob: labels never come from
    // requests.
    rig.chat("served-by-a-name-that-a-client-made-up").await;
    let labels = ["model=\"served-*\"", "type=\"input\""];
    assert_eq!(rig.metric("agentkube_llm_tokens_total", &labels), 11.0);
    let labels = ["model=\"served-*\"", "outcome=\"ok\""];
    assert_eq!(rig.metric("agentkube_llm_attempts_total", &labels), 1.0);
    let labels = ["route=\"chat_completions\"", "code=\"2xx\""];
    assert_eq!(rig.metric("agentkube_requests_total", &labels), 1.0);
    assert_eq!(rig.metric("agentkube_requests_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn redirects_are_never_followed() {
    let other = Upstream::by_model().await;
    let location = other.url("/v1/chat/completions");
    let upstream = Upstream::start(move |_| Reply::status(307).header("location", &location)).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 502);
    assert!(answer.message().contains("redirects are not followed"));
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let upstream = Upstream::start(|_| {
        let piece = "x".repeat(1024 * 1024);
        let start = Reply::text(200, "application/json", "{\"pad\":\"");
        (0..6)
            .fold(start, |reply, _| reply.chunk(piece.clone()))
            .chunk("\"}")
    })
    .await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), 6 * 1024 * 1024 + 10);
    assert!(answer.body.ends_with(b"\"}"));
}
