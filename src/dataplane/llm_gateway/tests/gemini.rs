//! Clients of Gemini's dialect.

use agentkube_plan::{Credentials, GatewayUpstream, Provider};
use agentkube_testkit::{Reply, Upstream};
use serde_json::{Value, json};

use super::kit::{Rig, anthropic, mk_upstream, openai, plan, post};

#[tokio::test]
async fn gemini_clients_ask_claude_and_read_their_own_dialect() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}).to_string();
    let whole = rig
        .call(post("/v1beta/models/fast:generateContent", body.clone()))
        .await;
    let candidate = &whole.json()["candidates"][0];
    assert_eq!(
        candidate["content"]["parts"][0]["text"],
        "Hello from the scripted upstream."
    );
    assert_eq!(candidate["finishReason"], "STOP");
    let path = "/v1/models/fast:streamGenerateContent?alt=sse";
    let streamed = rig.call(post(path, body.clone())).await;
    assert_eq!(streamed.header("content-type"), "text/event-stream");
    let told = streamed.text();
    assert!(
        told.lines()
            .all(|it| it.is_empty() || it.starts_with("data: {"))
    );
    assert!(
        told.trim_end().contains("\"finishReason\":\"STOP\""),
        "{told}"
    );
    let unknown = rig
        .call(post("/v1beta/models/nobody:generateContent", body))
        .await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], 404);
    assert_eq!(unknown.json()["error"]["status"], "NOT_FOUND");
}

const LISTED: &str = "/v1beta/models/fast:streamGenerateContent";

fn question() -> String {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}).to_string()
}

/// Gemini itself, of which nobody asks for a key.
fn gemini(provider: &Upstream) -> GatewayUpstream {
    let base = provider.url("/v1/projects/p/locations/global");
    GatewayUpstream {
        credentials: Credentials::None,
        ..mk_upstream("gemini", Provider::Vertex, base)
    }
}

fn texts(list: &Value) -> String {
    let elements = list.as_array().unwrap().iter();
    let texts =
        elements.filter_map(|it| it["candidates"][0]["content"]["parts"][0]["text"].as_str());
    texts.collect()
}

#[tokio::test]
async fn without_alt_sse_a_stream_is_a_list_whoever_answers() {
    let claude = Upstream::by_model().await;
    let events = [
        r#"{"candidates":[{"content":{"parts":[{"text":"Hello from "}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"the scripted upstream."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3}}"#,
    ];
    let google = Upstream::start(move |_| {
        let reply = Reply::sse().chunk(format!("data: {}\r\n\r\n", events[0]));
        reply.chunk(format!("data: {}\r\n\r\n", events[1]))
    })
    .await;
    for (upstream, spec) in [
        (&claude, anthropic("x", &claude)),
        (&google, gemini(&google)),
    ] {
        let rig = Rig::new(plan(vec![spec])).await;
        let answer = rig.call(post(LISTED, question())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        let list = answer.json();
        assert_eq!(texts(&list), "Hello from the scripted upstream.");
        let last = list.as_array().unwrap().last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert!(
            upstream.requests()[0].streams() || upstream.requests()[0].path.contains("alt=sse")
        );
        assert!(rig.metric("agentkube_llm_tokens_total", &["type=\"input\""]) > 0.0);
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_ends_in_an_error_and_stays_open() {
    let google = Upstream::start(|_| {
        let event = r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}]}"#;
        Reply::sse().chunk(format!("data: {event}\n\n")).cut()
    })
    .await;
    let rig = Rig::new(plan(vec![gemini(&google)])).await;
    let answer = rig.call(post(LISTED, question())).await;
    assert_eq!(answer.status, 200, "the head was gone by then");
    let told = answer.text();
    assert!(told.starts_with("[{\"candidates\""), "{told}");
    assert!(
        !told.ends_with(']'),
        "no list that could be taken for whole: {told}"
    );
    let whole: Value = serde_json::from_str(&format!("{told}]")).unwrap();
    assert_eq!(whole[1]["error"]["code"], 502);
}

#[tokio::test]
async fn the_usage_of_a_large_answer_of_gemini_is_counted() {
    let google = Upstream::start(|_| {
        let text = "x".repeat(5 * 1024 * 1024);
        let answer = json!({
            "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9},
        });
        Reply::json(200, &answer)
    })
    .await;
    let rig = Rig::new(plan(vec![gemini(&google)])).await;
    let path = "/v1beta/models/fast:generateContent";
    let answer = rig.call(post(path, question())).await;
    assert!(answer.body.len() > 5 * 1024 * 1024);
    let output = rig.metric("agentkube_llm_tokens_total", &["type=\"output\""]);
    assert!((output - 9.0).abs() < 0.1);
}

#[tokio::test]
async fn gemini_clients_embed_with_whoever_embeds() {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("gpt", &upstream)])).await;
    let content = json!({"parts": [{"text": "Hi"}]});
    let one = json!({"content": content, "taskType": "CLUSTERING"}).to_string();
    let answer = rig
        .call(post("/v1beta/models/fast:embedContent", one))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["embedding"]["values"],
        json!([0.5, -1.0, 0.25])
    );
    assert_eq!(answer.header("x-agentkube-dropped"), "taskType");
    let batch = json!({"requests": [{"content": content}, {"content": content}]}).to_string();
    let answer = rig
        .call(post("/v1/models/fast:batchEmbedContents", batch))
        .await;
    assert_eq!(answer.json()["embeddings"].as_array().unwrap().len(), 2);
    let seen = upstream.requests();
    assert_eq!(seen[1].route(), "/v1/embeddings");
    assert_eq!(seen[1].model(), "gpt-5.1");
    let claude = Rig::new(plan(vec![anthropic("claude", &upstream)])).await;
    let one = json!({"content": content}).to_string();
    let refused = claude
        .call(post("/v1beta/models/fast:embedContent", one))
        .await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["status"], "INVALID_ARGUMENT");
}
