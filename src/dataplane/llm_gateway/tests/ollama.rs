//! Ollama's own dialect at the gateway: lines, streams that nobody asked for, and
//! the parts of its API around the chat.

use agentkube_testkit::{Reply, Upstream};
use serde_json::{Value, json};

use super::kit::{
    Answer, Rig, anthropic, api_chat, behaving, chat, get, ollama, openai, plan, post,
};

fn asked(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
}

fn lines(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn said(lines: &[Value]) -> String {
    let pieces = lines.iter().map(|line| line["message"]["content"].as_str());
    pieces.map(Option::unwrap_or_default).collect()
}

#[tokio::test]
async fn a_chat_streams_untouched_from_an_ollama_unless_it_says_no() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![ollama("gpu", &upstream)])).await;
    let answer = rig.call(api_chat(&asked("gpt-5.1"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let seen = lines(&answer);
    assert_eq!(seen.len(), 6);
    assert_eq!(
        seen[5]["total_duration"], 4_883_583_458_u64,
        "passes as it is"
    );
    assert_eq!(upstream.requests()[0].route(), "/api/chat");
    assert!(rig.metric("agentkube_llm_tokens_total", &["upstream=\"gpu\""]) > 0.0);

    let mut whole = asked("gpt-5.1");
    whole["stream"] = json!(false);
    let answer = rig.call(api_chat(&whole)).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["done"], true);
    assert_eq!(answer.json()["eval_duration"], Value::Null);
}

#[tokio::test]
async fn upstreams_of_other_dialects_answer_in_lines() {
    let upstream = Upstream::by_model().await;
    for (name, plan) in [
        ("gpt", plan(vec![openai("gpt", &upstream)])),
        ("claude", plan(vec![anthropic("claude", &upstream)])),
    ] {
        let rig = Rig::new(plan).await;
        let answer = rig.call(api_chat(&asked("gpt-5.1"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        assert_eq!(answer.header("x-agentkube-upstream"), name);
        let seen = lines(&answer);
        assert!(!said(&seen).is_empty());
        let last = seen.last().unwrap();
        assert_eq!(
            (&last["done"], &last["model"]),
            (&json!(true), &json!("gpt-5.1"))
        );
        assert!(last["prompt_eval_count"].as_u64() > Some(0));
        assert!(seen.iter().rev().skip(1).all(|line| line["done"] == false));
    }
}

#[tokio::test]
async fn a_cut_stream_ends_in_a_line_with_an_error_and_is_not_done() {
    let upstream = Upstream::start(behaving("cut")).await;
    for plan in [
        plan(vec![ollama("gpu", &upstream)]),
        plan(vec![anthropic("claude", &upstream)]),
    ] {
        let rig = Rig::new(plan).await;
        let answer = rig.call(api_chat(&asked("gpt-5.1"))).await;
        let seen = lines(&answer);
        assert!(
            seen.last().unwrap()["error"].is_string(),
            "{}",
            answer.text()
        );
        assert!(seen.iter().all(|line| line["done"] != true));
    }
}

#[tokio::test]
async fn refusals_are_in_ollamas_shape() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![ollama("gpu", &upstream)])).await;
    let unknown = rig.call(api_chat(&asked("gpt-5.2"))).await;
    assert_eq!(unknown.status, 404);
    let message = unknown.json()["error"].as_str().unwrap().to_owned();
    assert!(message.contains("did you mean `gpt-5.1`?"), "{message}");
    let elsewhere = rig.call(post("/api/generate", "{}")).await;
    assert_eq!(elsewhere.status, 404);
    assert!(elsewhere.text().contains("POST /api/chat"));
    let wrong = rig.call(get("/api/chat")).await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.json()["error"].is_string());
}

#[tokio::test]
async fn models_are_listed_and_shown() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![ollama("gpu", &upstream)])).await;
    let tags = rig.call(get("/api/tags")).await.json();
    let names = tags["models"].as_array().unwrap().iter();
    assert!(names.clone().any(|model| model["name"] == "gpt-5.1"));
    assert!(names.clone().any(|model| model["model"] == "fast"));
    let shown = rig.call(post("/api/show", r#"{"model":"fast"}"#)).await;
    assert_eq!(shown.status, 200);
    assert!(shown.json()["model_info"].is_object());
    let unknown = rig.call(post("/api/show", r#"{"model":"fest"}"#)).await;
    assert_eq!(unknown.status, 404);
    let version = rig.call(get("/api/version")).await.json();
    assert!(version["version"].is_string());
}

#[tokio::test]
async fn what_is_translated_for_an_ollama_is_never_cut_in_silence() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![ollama("gpu", &upstream)])).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    let path = "/v1beta/models/gpt-5.1:generateContent";
    let answer = rig.call(post(path, body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = &upstream.requests()[0];
    assert_eq!(seen.route(), "/api/chat");
    let sent = seen.json();
    assert_eq!(
        (&sent["truncate"], &sent["shift"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        sent["options"],
        Value::Null,
        "the window is the server's own"
    );
}

#[tokio::test]
async fn a_context_window_of_the_table_is_asked_for_in_any_dialect() {
    let upstream = Upstream::by_model().await;
    let table = json!({"version": "ours", "models": [
        {"names": ["gpt-5.1"], "providers": ["ollama"], "num_ctx": 32768},
    ]});
    let plan = plan(vec![ollama("gpu", &upstream)]);
    let rig = Rig::with_capabilities(plan, &table).await;
    for (served, route) in [
        ("gpt-5.1", "/api/chat"),
        ("served-x", "/v1/chat/completions"),
    ] {
        let answer = rig.call(chat(&asked(served))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["object"], "chat.completion");
        let seen = upstream.requests();
        let seen = seen.last().unwrap();
        assert_eq!(seen.route(), route);
        if route == "/api/chat" {
            assert_eq!(seen.json()["options"]["num_ctx"], 32768);
        }
    }
}

#[tokio::test]
async fn a_model_without_a_tag_is_the_latest() {
    let script = behaving("gpt-5.1");
    let upstream = Upstream::start(move |request| match request.route() {
        "/v1/models" => {
            let ids = ["qwen3:latest", "qwen3:0.6b"].map(|id| json!({"id": id}));
            Reply::json(200, &json!({"object": "list", "data": ids}))
        }
        _ => script(request),
    })
    .await;
    let mut spec = ollama("gpu", &upstream);
    spec.models = Vec::new();
    let rig = Rig::new(plan(vec![spec])).await;
    for (model, status) in [("qwen3", 200), ("qwen3:0.6b", 200), ("qwen3:8b", 404)] {
        let answer = rig.call(api_chat(&asked(model))).await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
}
