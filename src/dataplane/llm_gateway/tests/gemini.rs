//! Clients of Gemini's dialect.

use agentkube_testkit::Upstream;
use serde_json::json;

use super::kit::{Rig, anthropic, plan, post};

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
