//! Responses and embeddings.

use agentkube_plan::{GatewayUpstream, Provider};
use agentkube_testkit::{Reply, Request, Upstream};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};

use super::kit::{Rig, anthropic, behaving, mk_upstream, openai, plan, post, two};

fn respond(body: &Value) -> http::Request<Full<Bytes>> {
    post("/v1/responses", body.to_string())
}

fn embed(body: &Value) -> http::Request<Full<Bytes>> {
    post("/v1/embeddings", body.to_string())
}

#[tokio::test]
async fn a_response_passes_untouched_and_is_counted() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    for stream in [false, true] {
        let body = json!({"model": "fast", "input": "Hi", "store": true, "stream": stream});
        let answer = rig.call(respond(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("resp_testkit"));
    }
    let seen = upstream.requests();
    assert_eq!(seen[0].path, "/v1/responses");
    assert_eq!(seen[0].json()["model"], "gpt-5.1");
    assert_eq!(seen[0].json()["store"], true);
    assert_eq!(seen[1].json().get("stream_options"), None);
    let labels = ["upstream=\"primary\"", "type=\"input\""];
    assert_eq!(rig.metric("agentkube_llm_tokens_total", &labels), 22.0);
    let labels = ["route=\"responses\"", "code=\"2xx\""];
    assert_eq!(rig.metric("agentkube_requests_total", &labels), 2.0);
}

#[tokio::test]
async fn an_announced_response_that_is_overloaded_is_answered_by_the_next_upstream() {
    let announced = |_: &Request| {
        let body =
            include_str!("../../../../tests/fixtures/openai-responses/created_then_overloaded.sse");
        Reply::sse().chunk(body)
    };
    let (first, second, plan) = two(announced).await;
    let rig = Rig::new(plan).await;
    let body = json!({"model": "gpt-5.1", "input": "Hi", "stream": true});
    let answer = rig.call(respond(&body)).await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    assert!(answer.text().contains("response.completed"));
    assert!(!answer.text().contains("overloaded"));
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_translated_response_that_is_cut_is_failed_and_never_completed() {
    let upstream = Upstream::start(behaving("cut")).await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let body = json!({"model": "gpt-5.1", "input": "Hi", "stream": true});
    let answer = rig.call(respond(&body)).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert!(answer.text().contains("event: response.failed"));
    assert!(!answer.text().contains("response.completed"));
}

#[tokio::test]
async fn what_is_kept_elsewhere_is_a_400_where_no_upstream_can_read_it() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let body = json!({"model": "gpt-5.1", "input": "Hi", "previous_response_id": "resp_1"});
    let answer = rig.call(respond(&body)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "previous_response_id");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn input_tokens_are_counted_where_the_upstream_can() {
    let counts = |_: &Request| {
        Reply::json(
            200,
            &json!({"object": "response.input_tokens", "input_tokens": 11}),
        )
    };
    let upstream = Upstream::start(counts).await;
    let path = "/v1/responses/input_tokens";
    let body = json!({"model": "fast", "input": "Hi"}).to_string();
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig.call(post(path, body.clone())).await;
    assert_eq!(answer.json()["input_tokens"], 11);
    assert_eq!(upstream.requests()[0].path, path);
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(post(path, body.clone())).await;
    assert_eq!(answer.json()["input_tokens"], 11);
    let counted = &upstream.requests()[1];
    assert_eq!(counted.path, "/v1/messages/count_tokens");
    assert_eq!(counted.json()["messages"][0]["content"][0]["text"], "Hi");
    assert_eq!(counted.json().get("max_tokens"), None);
    let mut deaf = openai("primary", &upstream);
    deaf.provider = Provider::Ollama;
    let rig = Rig::new(plan(vec![deaf])).await;
    let answer = rig.call(post(path, body)).await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.message().contains("count tokens"),
        "{}",
        answer.message()
    );
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn embeddings_pass_untouched_and_are_counted() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let body = json!({"model": "fast", "input": ["a", "b"], "unknown": 1});
    let answer = rig.call(embed(&body)).await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer.header("x-agentkube-upstream"), "primary");
    let seen = upstream.requests();
    assert_eq!(seen[0].path, "/v1/embeddings");
    let sent = json!({"model": "gpt-5.1", "input": ["a", "b"], "unknown": 1});
    assert_eq!(seen[0].json(), sent);
    let labels = ["upstream=\"primary\"", "type=\"input\""];
    assert_eq!(rig.metric("agentkube_llm_tokens_total", &labels), 11.0);
    let labels = ["route=\"embeddings\"", "code=\"2xx\""];
    assert_eq!(rig.metric("agentkube_requests_total", &labels), 1.0);
}

#[tokio::test]
async fn embeddings_that_are_too_large_to_be_held_are_counted_all_the_same() {
    let large = |_: &Request| {
        let vector = "0.123456789,".repeat(400_000) + "1";
        Reply::text(
            200,
            "application/json",
            format!(r#"{{"data":[{{"embedding":[{vector}]}}],"usage":{{"prompt_tokens":5}}}}"#),
        )
    };
    let upstream = Upstream::start(large).await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    let answer = rig
        .call(embed(&json!({"model": "fast", "input": "a"})))
        .await;
    assert!(answer.body.len() > 4 * 1024 * 1024);
    let labels = ["upstream=\"primary\"", "type=\"input\""];
    assert_eq!(rig.metric("agentkube_llm_tokens_total", &labels), 5.0);
}

#[tokio::test]
async fn azures_legacy_api_embeds_in_the_deployments_path() {
    let provider = Upstream::by_model().await;
    let upstream = GatewayUpstream {
        api_version: Some("2024-10-21".to_owned()),
        ..mk_upstream("azure", Provider::AzureOpenai, provider.url("/openai"))
    };
    let rig = Rig::new(plan(vec![upstream])).await;
    rig.call(embed(&json!({"model": "gpt-5.1", "input": "a"})))
        .await;
    let path = "/openai/deployments/gpt-5.1/embeddings?api-version=2024-10-21";
    assert_eq!(provider.requests()[0].path, path);
}

#[tokio::test]
async fn titan_embeds_for_a_client_of_openai() {
    let model = "amazon.titan-embed-text-v2:0";
    let provider = Upstream::start(|_| {
        Reply::json(
            200,
            &json!({"embedding": [0.5, -1], "inputTextTokenCount": 3}),
        )
    })
    .await;
    let upstream = GatewayUpstream {
        model_names: [("gpt-5.1".to_owned(), model.to_owned())].into(),
        ..mk_upstream("bedrock", Provider::Bedrock, provider.url(""))
    };
    let rig = Rig::new(plan(vec![upstream])).await;
    let body = json!({"model": "gpt-5.1", "input": "a", "user": "u"});
    let answer = rig.call(embed(&body)).await;
    assert_eq!(answer.json()["data"][0]["embedding"], json!([0.5, -1]));
    assert_eq!(answer.json()["model"], "gpt-5.1");
    assert_eq!(answer.header("x-agentkube-dropped"), "user");
    let seen = provider.requests();
    assert_eq!(seen[0].path, "/model/amazon.titan-embed-text-v2%3A0/invoke");
    assert_eq!(seen[0].json(), json!({"inputText": "a"}));
    let labels = ["upstream=\"bedrock\"", "type=\"input\""];
    assert_eq!(rig.metric("agentkube_llm_tokens_total", &labels), 3.0);
}

#[tokio::test]
async fn a_model_without_embeddings_is_a_400_that_says_who_has_them() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig
        .call(embed(&json!({"model": "fast", "input": "a"})))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "model");
    assert!(answer.message().contains("vertex"), "{}", answer.message());
}
