//! A client that goes away.

use agentkube_testkit::{Outcome, Reply, eventually};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::kit::{legacy_message, modern_message, modern_request, over, post};
use super::server::{Spec, ToolServer, event};

pub(super) fn stalling(spec: Spec) -> Spec {
    spec.on_call(|_, _| {
        let params = json!({"level": "info", "data": 1});
        let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params});
        Reply::sse().chunk(event(&log)).stall()
    })
}

async fn number_of(server: &ToolServer, method: &str) -> usize {
    eventually(method, async || Some(server.got(method).first()?.number)).await
}

#[tokio::test]
async fn a_modern_client_that_goes_away_closes_a_modern_upstreams_stream() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let proxy = over(&[&server]).await;
    let message = modern_message("tools/call", &json!({"name": "slow"}));
    let mut body = proxy.send(modern_request(&message)).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let call = number_of(&server, "tools/call").await;
    assert_eq!(server.upstream.outcome(call).await, Outcome::ClientGone);
}

#[tokio::test]
async fn a_modern_client_that_goes_away_is_spelled_out_to_a_legacy_upstream() {
    let server = stalling(Spec::legacy(&["slow"])).start().await;
    let proxy = over(&[&server]).await;
    let meta = json!({"io.modelcontextprotocol/logLevel": "debug"});
    let message = modern_message("tools/call", &json!({"name": "slow", "_meta": meta}));
    let mut body = proxy.send(modern_request(&message)).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    number_of(&server, "notifications/cancelled").await;
    let cancelled = server.got("notifications/cancelled")[0].json();
    let call = server.got("tools/call")[0].json();
    assert_eq!(cancelled["params"]["requestId"], call["id"]);
}

#[tokio::test]
async fn a_legacy_client_that_goes_away_cancels_nothing() {
    let server = stalling(Spec::legacy(&["slow"])).start().await;
    let proxy = over(&[&server]).await;
    let message = legacy_message("tools/call", &json!({"name": "slow"})).to_string();
    let mut body = proxy
        .send(post().body(message.into()).unwrap())
        .await
        .into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let call = number_of(&server, "tools/call").await;
    assert_eq!(server.upstream.outcome(call).await, Outcome::ClientGone);
    // Whatever follows the call comes after the cancellation would have.
    let pinged: Value = proxy.legacy("tools/list", json!({})).await.result();
    assert!(pinged["tools"].is_array());
    assert_eq!(server.got("notifications/cancelled").len(), 0);
}
