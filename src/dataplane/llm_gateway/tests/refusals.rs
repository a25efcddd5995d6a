//! A provider's refusal, as clients of its own and of other dialects read it.

use agentkube_plan::Provider;
use agentkube_testkit::{Reply, Upstream};
use serde_json::{Value, json};

use super::kit::{
    Answer, Rig, anthropic, api_chat, chat, messages, mk_upstream, openai, plan, post,
};

/// vLLM's, which has no code: its OpenAI wire and its Messages wire alike.
const LONG: &str = "This model's maximum context length is 8192 tokens. However, your messages \
                    resulted in 9000 tokens. Please reduce the length of the messages.";

async fn refusing(status: u16, body: Value) -> Upstream {
    Upstream::start(move |_| Reply::json(status, &body)).await
}

async fn converse(rig: &Rig) -> Answer {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]});
    rig.call(post("/model/gpt-5.1/converse", body.to_string()))
        .await
}

fn asked() -> Value {
    json!({"model": "gpt-5.1", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_told_as_each_client_knows_it() {
    let body = json!({"error": {"message": LONG, "type": "BadRequestError", "code": 400}});
    let upstream = refusing(400, body).await;
    let vllm = mk_upstream("vllm", Provider::Vllm, upstream.url("/v1"));
    let rig = Rig::new(plan(vec![vllm])).await;
    let openais = rig.call(chat(&asked())).await;
    assert_eq!(openais.status, 400);
    assert_eq!(openais.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(openais.message(), LONG);
    let responses = json!({"model": "gpt-5.1", "store": false, "input": "Hi"});
    let responses = rig.call(post("/v1/responses", responses.to_string())).await;
    assert_eq!(responses.json()["error"]["code"], "context_length_exceeded");
    let anthropics = rig.call(messages(&asked())).await;
    assert_eq!(anthropics.status, 400);
    assert_eq!(anthropics.json()["error"]["type"], "invalid_request_error");
    assert_eq!(
        anthropics.message(),
        "prompt is too long: 9000 tokens > 8192 maximum"
    );
    let amazons = converse(&rig).await;
    assert_eq!(amazons.status, 400);
    assert_eq!(amazons.header("x-amzn-errortype"), "ValidationException");
    let told = amazons.json()["message"].as_str().unwrap().to_owned();
    assert!(
        told.starts_with("Input is too long for requested model"),
        "{told}"
    );
    let ollamas = rig.call(api_chat(&asked())).await;
    assert_eq!(ollamas.json()["error"], LONG);
    for answer in [openais, responses, anthropics, amazons, ollamas] {
        assert_eq!(answer.header("x-agentkube-upstream"), "vllm");
        assert_eq!(answer.header("x-agentkube-attempts"), "1");
    }
    assert_eq!(upstream.requests().len(), 5, "nothing is tried again");
}

#[tokio::test]
async fn the_providers_own_words_for_a_long_prompt_pass_as_they_are() {
    let said = json!({"type": "error", "request_id": "req_1", "error": {
        "type": "invalid_request_error",
        "message": "prompt is too long: 210012 tokens > 200000 maximum",
    }});
    let upstream = refusing(400, said.clone()).await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    assert_eq!(rig.call(messages(&asked())).await.json(), said);
}

#[tokio::test]
async fn a_request_that_is_too_large_for_the_provider_is_a_413_in_any_dialect() {
    let upstream = refusing(
        413,
        json!({"type": "error", "error": {
            "type": "request_too_large", "message": "Request exceeds the maximum size",
        }}),
    )
    .await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    for request in [chat(&asked()), messages(&asked()), api_chat(&asked())] {
        let answer = rig.call(request).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(answer.text().contains("Request exceeds the maximum size"));
    }
}

#[tokio::test]
async fn what_a_content_filter_refuses_goes_to_nobody_else() {
    let upstream = refusing(
        400,
        json!({"error": {
            "message": "The response was filtered due to the prompt triggering the policy.",
            "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        }}),
    )
    .await;
    let backup = Upstream::by_model().await;
    let mut second = openai("backup", &backup);
    second.priority = 2;
    let azure = mk_upstream("azure", Provider::AzureOpenai, upstream.url("/openai/v1"));
    let rig = Rig::new(plan(vec![azure, second])).await;
    let own = rig.call(chat(&asked())).await;
    assert_eq!(
        (own.status.as_u16(), own.json()["error"]["code"].as_str()),
        (400, Some("content_filter"))
    );
    let other = rig.call(messages(&asked())).await;
    assert_eq!(other.status, 400);
    assert!(other.message().contains("triggering the policy"));
    assert!(backup.requests().is_empty());
}

#[tokio::test]
async fn an_answer_of_nobody_says_what_was_tried_last() {
    let upstream = refusing(
        529,
        json!({"type": "error", "error": {
            "type": "overloaded_error", "message": "Overloaded",
        }}),
    )
    .await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(chat(&asked())).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("x-agentkube-upstream"), "claude");
    assert_eq!(answer.header("x-agentkube-model"), "gpt-5.1");
    assert_eq!(answer.header("x-agentkube-attempts"), "1");
    let answer = rig.call(messages(&asked())).await;
    assert_eq!(answer.status.as_u16(), 529, "Anthropic's own status for it");
}
