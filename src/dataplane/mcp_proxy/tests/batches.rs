//! Batches of clients of 2025-03-26.

use agentkube_testkit::{Gate, Reply, eventually};
use http_body_util::Full;
use serde_json::{Value, json};

use super::kit::{Answer, Tested, legacy_message, over, post};
use super::server::{Spec, event, response};

/// Begins a session of this revision, and says which nowhere else.
async fn opened(proxy: &Tested, version: &str) -> String {
    let hello = json!({"protocolVersion": version, "capabilities": {"elicitation": {}}});
    let hello = legacy_message("initialize", &hello).to_string();
    let answer = proxy.exchange(post().body(Full::from(hello)).unwrap());
    let answer = answer.await;
    answer.headers["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned()
}

async fn batch(proxy: &Tested, session: Option<&str>, messages: &Value) -> (Answer, Value) {
    let mut request = post();
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let body = Full::from(messages.to_string());
    let answer = proxy.exchange(request.body(body).unwrap()).await;
    let said = serde_json::from_str(&answer.text).unwrap();
    (answer, said)
}

#[tokio::test]
async fn a_greeting_in_a_batch_opens_no_session() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {}});
    let messages = json!([
        legacy_message("initialize", &hello),
        legacy_message("ping", &json!({})),
    ]);
    let (answer, said) = batch(&proxy, None, &messages).await;
    assert_eq!(said[0]["error"]["code"], -32600);
    assert_eq!(said[1]["result"], json!({}));
    assert!(!answer.headers.contains_key("mcp-session-id"));
    assert!(server.got("initialize").is_empty());
}

#[tokio::test]
async fn a_session_of_a_later_revision_has_none_also_without_the_header() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let messages = json!([legacy_message("ping", &json!({}))]);
    for (version, status) in [("2025-03-26", 200), ("2025-11-25", 400)] {
        let session = opened(&proxy, version).await;
        let (answer, said) = batch(&proxy, Some(&session), &messages).await;
        assert_eq!(answer.status, status, "{version}: {said}");
    }
}

#[tokio::test]
async fn a_question_in_a_batch_is_refused_and_the_call_goes_on() {
    let refused = Gate::new();
    let gate = refused.clone();
    let server = Spec::legacy(&["ask"]).on_call(move |_, request| {
        let question = json!({
            "jsonrpc": "2.0", "id": 77, "method": "elicitation/create", "params": {},
        });
        Reply::sse()
            .chunk(event(&question))
            .gate(&gate)
            .chunk(event(&response(request, &json!({"content": []}))))
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let session = opened(&proxy, "2025-03-26").await;
    let messages = json!([legacy_message("tools/call", &json!({"name": "ask"}))]);
    let answering = async {
        eventually("the question is refused", async || {
            let requests = server.upstream.requests();
            let mut posts = requests.iter().filter(|it| it.method == "POST");
            let found = posts.find(|it| it.json()["id"] == 77)?;
            assert_eq!(found.json()["error"]["code"], -32601);
            Some(())
        })
        .await;
        refused.open();
    };
    let ((_, said), ()) =
        futures::future::join(batch(&proxy, Some(&session), &messages), answering).await;
    assert_eq!(said[0]["result"], json!({"content": []}));
}
