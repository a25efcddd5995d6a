//! Clients and upstreams of different dialects.

use agentkube_plan::Translation;
use agentkube_testkit::{Reply, Upstream};
use serde_json::{Value, json};

use super::kit::{PROVIDER_KEY, Rig, anthropic, behaving, chat, messages, openai, plan};

fn asked(model: &str) -> Value {
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]})
}

fn streamed(model: &str) -> Value {
    let mut body = asked(model);
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn a_chat_client_is_answered_by_an_anthropic_upstream() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let mut body = asked("fast");
    body["seed"] = json!(7);
    let answer = rig.call(chat(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["object"], "chat.completion");
    assert_eq!(answer.json()["model"], "gpt-5.1", "the served model");
    assert!(answer.json()["choices"][0]["message"]["content"].is_string());
    assert!(answer.json()["usage"]["prompt_tokens"].as_u64() > Some(0));
    assert_eq!(answer.header("x-agentkube-dropped"), "seed");
    let dropped = rig.metric(
        "agentkube_llm_dropped_fields_total",
        &["upstream=\"claude\""],
    );
    assert!((dropped - 1.0).abs() < 0.1);
    assert_eq!(answer.header("x-agentkube-upstream"), "claude");
    let seen = &upstream.requests()[0];
    assert_eq!(seen.route(), "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some(PROVIDER_KEY));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(
        seen.header("authorization"),
        None,
        "the client's key stays here"
    );
    assert!(rig.metric("agentkube_llm_tokens_total", &["upstream=\"claude\""]) > 0.0);
}

#[tokio::test]
async fn an_anthropic_client_is_answered_by_a_chat_upstream() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("gpt", &upstream)])).await;
    let mut request = messages(&asked("gpt-5.1"));
    let version = http::HeaderValue::from_static("2023-06-01");
    request.headers_mut().insert("anthropic-version", version);
    let answer = rig.call(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["type"], "message");
    assert_eq!(answer.json()["content"][0]["type"], "text");
    let seen = &upstream.requests()[0];
    assert_eq!(seen.route(), "/v1/chat/completions");
    assert_eq!(seen.header("anthropic-version"), None);
}

#[tokio::test]
async fn a_translated_stream_ends_as_its_client_expects() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(chat(&streamed("gpt-5.1"))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("chat.completion.chunk"));
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    assert!(!answer.text().contains("message_start"));

    let rig = Rig::new(plan(vec![openai("gpt", &upstream)])).await;
    let answer = rig.call(messages(&streamed("gpt-5.1"))).await;
    assert!(answer.text().starts_with("event: message_start\n"));
    assert!(answer.text().contains("event: message_stop\n"));
}

#[tokio::test]
async fn a_cut_translated_stream_is_failed_not_done() {
    let upstream = Upstream::start(behaving("cut")).await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(chat(&streamed("gpt-5.1"))).await;
    assert!(answer.text().contains("\"error\""), "{}", answer.text());
    assert!(!answer.text().contains("[DONE]"));

    let upstream = Upstream::start(behaving("cut")).await;
    let rig = Rig::new(plan(vec![openai("gpt", &upstream)])).await;
    let answer = rig.call(messages(&streamed("gpt-5.1"))).await;
    assert!(
        answer.text().contains("event: error\n"),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("message_stop"));
}

#[tokio::test]
async fn a_failed_chat_upstream_is_replaced_by_an_anthropic_one() {
    let first = Upstream::start(behaving("lateerror")).await;
    let second = Upstream::by_model().await;
    let mut backup = anthropic("claude", &second);
    backup.priority = 2;
    let rig = Rig::new(plan(vec![openai("gpt", &first), backup])).await;
    let answer = rig.call(chat(&streamed("gpt-5.1"))).await;
    assert_eq!(answer.header("x-agentkube-upstream"), "claude");
    assert_eq!(answer.header("x-agentkube-attempts"), "2");
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_clients_dialect() {
    let upstream = Upstream::start(behaving("badrequest")).await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(chat(&asked("gpt-5.1"))).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert!(answer.json().get("type").is_none(), "{}", answer.text());
    assert_eq!(upstream.requests().len(), 1, "a bad request is not retried");
}

#[tokio::test]
async fn strict_translation_refuses_what_would_be_dropped() {
    let upstream = Upstream::by_model().await;
    let mut plan = plan(vec![anthropic("claude", &upstream)]);
    plan.translation = Translation::Strict;
    let rig = Rig::new(plan).await;
    let mut body = asked("gpt-5.1");
    body["seed"] = json!(7);
    let answer = rig.call(chat(&body)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().contains("seed"), "{}", answer.message());
    assert!(upstream.requests().is_empty());
    let answer = rig.call(chat(&asked("gpt-5.1"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-agentkube-dropped"), "");
}

#[tokio::test]
async fn a_request_that_cannot_be_translated_is_400_and_goes_nowhere() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.message().contains("messages"),
        "{}",
        answer.message()
    );
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_answer_in_the_wrong_form_is_not_passed_on() {
    let upstream = Upstream::start(|_| Reply::json(200, &json!({"content": []}))).await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let answer = rig.call(chat(&streamed("gpt-5.1"))).await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn a_compressed_answer_is_never_passed_on_untranslated() {
    let upstream = Upstream::start(|_| {
        let squeezed = Reply::text(200, "application/json", "squeezed");
        squeezed.header("content-encoding", "gzip")
    })
    .await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let body = json!({"model": "gpt-5.1", "messages": [{"role": "user", "content": "Hi"}]});
    let answer = rig.call(chat(&body)).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
}

#[tokio::test]
async fn thoughts_that_a_provider_refuses_are_left_out_and_the_client_never_knows() {
    let script = behaving("gpt-5.1");
    let upstream = Upstream::start(move |request| {
        if String::from_utf8_lossy(&request.body).contains("EqQB") {
            let message = "messages.1.content.0: Invalid `signature` in `thinking` block. The block \
                           is bound to a different conversation.";
            let error = json!({"type": "invalid_request_error", "message": message});
            return Reply::json(400, &json!({"type": "error", "error": error}));
        }
        script(request)
    })
    .await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    // As the gateway sealed it: {"i":"toolu_1","m":"gpt-5.1","t":[{"t":["Hm","EqQB"]}]}
    let sealed = "ak1_eyJpIjoidG9vbHVfMSIsIm0iOiJncHQtNS4xIiwidCI6W3sidCI6WyJIbSIsIkVxUUIiXX1dfQ";
    let call = json!({"id": sealed, "type": "function",
        "function": {"name": "f", "arguments": "{}"}});
    let parameters = json!({"type": "object"});
    let body = json!({"model": "gpt-5.1", "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": sealed, "content": "18"},
    ], "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]});
    let answer = rig.call(chat(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-agentkube-attempts"), "2");
    assert_eq!(
        answer.header("x-agentkube-dropped"),
        "messages[1].tool_calls[0]"
    );
    let seen = upstream.requests();
    let first = seen[0].json()["messages"][1]["content"].clone();
    assert_eq!(first[0]["signature"], "EqQB");
    let second = seen[1].json()["messages"][1]["content"].clone();
    assert_eq!(second[0]["type"], "tool_use");
    assert_eq!(second[0]["id"], "toolu_1");
}
