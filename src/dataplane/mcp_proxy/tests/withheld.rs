//! Credentials of other upstreams, wherever an upstream may say them.

use agentkube_testkit::{Reply, Request};
use serde_json::{Value, json};

use super::kit::{
    Tested, bearer, modern_message, modern_request, plan, secret, serve_with, upstream,
};
use super::listen::next;
use super::server::{Spec, ToolServer, event, response};
use crate::source::Secrets;

const TOKEN: &str = "the-token-of-a";

/// A proxy over an upstream whose token that is, and one that says it.
async fn beside(talker: &ToolServer) -> (ToolServer, Tested) {
    let quiet = Spec::legacy(&["x"]).start().await;
    let mut secrets = Secrets::new();
    secrets.insert(secret(), TOKEN);
    let both = plan(vec![
        bearer(upstream("a", &quiet.endpoint())),
        upstream("b", &talker.endpoint()),
    ]);
    (quiet, serve_with(both, secrets).await)
}

fn log() -> String {
    let params = json!({"level": "info", "data": TOKEN});
    event(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}))
}

#[tokio::test]
async fn an_upstream_does_not_tell_the_credential_of_another_in_an_answer() {
    let answers: [fn(&Request, &Value) -> Reply; 2] = [
        |_, request| {
            Reply::json(
                200,
                &response(request, &json!({"content": [{"text": TOKEN}]})),
            )
        },
        |_, request| {
            let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create",
                "params": {"message": TOKEN}});
            Reply::sse()
                .chunk(log())
                .chunk(event(&ask))
                .chunk(event(&response(request, &json!({}))))
        },
    ];
    for (answer, expected) in answers.into_iter().zip([1, 3]) {
        let talker = Spec::legacy(&["y"]).on_call(answer).start().await;
        let (_quiet, proxy) = beside(&talker).await;
        let sitting = proxy.open(json!({"elicitation": {}})).await;
        let answer = sitting.ask("tools/call", json!({"name": "b__y"})).await;
        assert_eq!(answer.messages().len(), expected);
        assert!(!answer.text.contains(TOKEN), "{}", answer.text);
        assert!(answer.text.contains("[redacted]"), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_upstream_does_not_tell_the_credential_of_another_in_a_list() {
    let tools = json!([{"name": "y", "description": TOKEN, "inputSchema": {"type": "object"}}]);
    let talker = Spec::legacy(&[]).tools(tools).start().await;
    let (_quiet, proxy) = beside(&talker).await;
    let listed = proxy.legacy("tools/list", json!({})).await;
    assert_eq!(listed.result()["tools"][1]["description"], "[redacted]");
}

#[tokio::test]
async fn an_upstream_does_not_tell_the_credential_of_another_unasked() {
    let talker = Spec::legacy(&["y"]).on_stream(|| Reply::sse().chunk(log()).stall());
    let talker = talker.start().await;
    let (_quiet, proxy) = beside(&talker).await;
    let sitting = proxy.open(json!({})).await;
    let request = sitting.head("GET").body(http_body_util::Full::default());
    let mut body = proxy.send(request.unwrap()).await.into_body();
    assert_eq!(next(&mut body).await["params"]["data"], "[redacted]");

    let told = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed",
        "params": {"_meta": {"because": TOKEN}}});
    let talker = Spec::legacy(&["y"]).on_stream(move || Reply::sse().chunk(event(&told)).stall());
    let talker = talker.start().await;
    let (_quiet, proxy) = beside(&talker).await;
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut body = proxy.send(request).await.into_body();
    next(&mut body).await;
    assert_eq!(
        next(&mut body).await["params"]["_meta"]["because"],
        "[redacted]"
    );
}
