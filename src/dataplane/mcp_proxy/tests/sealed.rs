//! Sessions of legacy clients: served by any replica, with a session of their
//! own at every upstream that keeps some.

use agentkube_testkit::{Gate, Reply, eventually, within};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::kit::{KEY, OTHER_KEY, Tested, over, plan, post, serve, upstream};
use super::server::{Spec, ToolServer, event, response};

/// Asks the client before it answers; the answer waits for the gate.
fn asks_for_sampling(gate: &Gate) -> Spec {
    let gate = gate.clone();
    Spec::legacy(&["ask"]).on_call(move |_, message| {
        let question = json!({
            "jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage",
            "params": {"maxTokens": 5, "_meta": {"progressToken": "t"}},
        });
        let result = response(message, &json!({"content": []}));
        Reply::sse()
            .chunk(event(&question))
            .gate(&gate)
            .chunk(event(&result))
    })
}

async fn two_replicas(server: &ToolServer) -> (Tested, Tested) {
    (over(&[server]).await, over(&[server]).await)
}

/// The next message of a stream.
async fn next(body: &mut crate::edge::Body) -> Value {
    loop {
        let frame = within("an event", body.frame()).await;
        let bytes = frame.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: {")) {
            return serde_json::from_str(&format!("{{{data}")).unwrap();
        }
    }
}

#[tokio::test]
async fn each_client_has_its_own_session_upstream_that_declares_what_it_can_do() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let capabilities = json!({"sampling": {"context": {}}, "x": 1.50});
    let able = proxy.open(capabilities.clone()).await;
    let other = proxy.open(json!({})).await;
    able.ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    other
        .ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    let opened = server.got("initialize");
    assert_eq!(opened.len(), 3, "one is the proxy's own");
    assert!(
        opened
            .iter()
            .any(|it| it.json()["params"]["capabilities"] == capabilities)
    );
    let calls = server.got("tools/call");
    let sessions: Vec<_> = calls.iter().map(|it| it.header("mcp-session-id")).collect();
    assert_ne!(sessions[0], sessions[1]);
    assert_eq!(
        calls[0].json()["id"],
        "client-1",
        "nobody else speaks there"
    );
}

#[tokio::test]
async fn another_replica_goes_on_in_the_same_session_upstream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let (one, other) = two_replicas(&server).await;
    let sitting = one.open(json!({})).await;
    let call = json!({"name": "echo"});
    sitting.ask("tools/call", call.clone()).await.result();
    sitting.at(&other).ask("tools/call", call).await.result();
    let calls = server.got("tools/call");
    let sessions: Vec<_> = calls.iter().map(|it| it.header("mcp-session-id")).collect();
    assert_eq!(sessions[0], sessions[1]);
}

#[tokio::test]
async fn a_question_is_answered_through_another_replica() {
    let gate = Gate::new();
    let server = asks_for_sampling(&gate).start().await;
    let (one, other) = two_replicas(&server).await;
    let sitting = one.open(json!({"sampling": {}})).await;
    let call = super::kit::legacy_message("tools/call", &json!({"name": "ask"}));
    let mut body = one.send(sitting.post(&call)).await.into_body();
    let question = next(&mut body).await;
    assert_eq!(question["method"], "sampling/createMessage");
    assert_eq!(question["params"]["maxTokens"], 5);
    let id = &question["id"];
    assert!(id.is_string() && *id != "7");
    assert_ne!(question["params"]["_meta"]["progressToken"], "t");

    let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"role": "assistant", "x": 1.0}});
    assert_eq!(sitting.at(&other).say(&answer).await.status, 202);
    gate.open();
    assert_eq!(next(&mut body).await["result"], json!({"content": []}));
    let mut delivered = server.upstream.requests();
    delivered.retain(|request| request.method == "POST" && request.json()["result"].is_object());
    assert_eq!(delivered[0].json()["id"], 7);
    let call = server.got("tools/call").pop().unwrap();
    let session = call.header("mcp-session-id");
    assert_eq!(delivered[0].header("mcp-session-id"), session);
}

#[tokio::test]
async fn nobody_answers_in_the_place_of_another() {
    let server = asks_for_sampling(&Gate::new()).start().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({"sampling": {}})).await;
    let call = super::kit::legacy_message("tools/call", &json!({"name": "ask"}));
    let mut body = proxy.send(sitting.post(&call)).await.into_body();
    let question = next(&mut body).await;
    let stranger = proxy.open(json!({"sampling": {}})).await;
    for id in [&question["id"], &json!("made-up"), &json!(7)] {
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": {}});
        assert_eq!(stranger.say(&answer).await.status, 400);
    }
}

#[tokio::test]
async fn a_session_is_its_clients_and_no_others() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.auth = agentkube_plan::ClientAuth::Apikey;
    let proxy = serve(plan).await;
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}},
    });
    let key = |key: &str| post().header("authorization", format!("Bearer {key}"));
    let opened = key(KEY).body(Full::from(hello.to_string())).unwrap();
    let opened = proxy.exchange(opened).await;
    let id = opened.headers["mcp-session-id"].clone();
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    for (who, status) in [(KEY, 200), (OTHER_KEY, 404)] {
        let request = key(who).header("mcp-session-id", id.clone());
        let request = request.body(Full::from(ping.to_string())).unwrap();
        assert_eq!(proxy.exchange(request).await.status, status);
    }
}

#[tokio::test]
async fn an_ended_or_unknown_session_is_404_and_its_upstreams_are_told() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let mut sitting = proxy.open(json!({})).await;
    sitting.ask("ping", json!({})).await.result();
    assert_eq!(sitting.end().await, 204);
    assert_eq!(sitting.ask("ping", json!({})).await.status, 404);
    assert_eq!(sitting.end().await, 404);
    eventually("a DELETE", async || {
        let mut all = server.upstream.requests().into_iter();
        all.find(|request| request.method == "DELETE")
    })
    .await;
    sitting.id = "made-up".to_owned();
    assert_eq!(sitting.ask("ping", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_session_that_the_upstream_forgot_is_opened_again_with_all_that_was_said_in_it() {
    let resources = json!([{"uri": "file:///a", "name": "a"}]);
    let server = Spec::legacy(&["echo"])
        .capability("logging")
        .list("resources", "resources", resources)
        .on_call(|_, request| Reply::json(200, &response(request, &json!({}))))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({"roots": {}})).await;
    sitting
        .ask("logging/setLevel", json!({"level": "debug"}))
        .await
        .result();
    sitting
        .ask("resources/subscribe", json!({"uri": "file:///a"}))
        .await
        .result();
    let before = server.got("resources/subscribe")[0]
        .header("mcp-session-id")
        .map(str::to_owned);
    server.forget();
    sitting
        .ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    let last = |method: &str| server.got(method).pop().unwrap();
    assert_eq!(
        last("initialize").json()["params"]["capabilities"],
        json!({"roots": {}})
    );
    assert_eq!(
        last("logging/setLevel").json()["params"],
        json!({"level": "debug"})
    );
    assert_eq!(
        last("resources/subscribe").json()["params"],
        json!({"uri": "file:///a"})
    );
    let session = last("tools/call")
        .header("mcp-session-id")
        .map(str::to_owned);
    assert_eq!(
        last("resources/subscribe").header("mcp-session-id"),
        session.as_deref()
    );
    assert_ne!(session, before);
}

#[tokio::test]
async fn a_cancellation_reaches_the_upstream_whichever_replica_gets_it() {
    let server = Spec::legacy(&["echo"]).start().await;
    let (one, other) = two_replicas(&server).await;
    let sitting = one.open(json!({})).await;
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "client-9", "reason": "enough"},
    });
    assert_eq!(sitting.at(&other).say(&cancel).await.status, 202);
    let told = eventually("the cancellation", async || {
        server.got("notifications/cancelled").pop()
    });
    assert_eq!(told.await.json(), cancel);
}

#[tokio::test]
async fn what_needs_a_session_says_so_without_one() {
    let server = Spec::legacy(&["echo"]).capability("logging").start().await;
    let proxy = over(&[&server]).await;
    let answer = proxy
        .legacy("logging/setLevel", json!({"level": "info"}))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.error_text().contains("Mcp-Session-Id"), "{answer:?}");
}

#[tokio::test]
async fn no_more_sessions_are_opened_than_the_bound() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.sessions = 1;
    let proxy = serve(plan).await;
    let first = proxy.open(json!({})).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let refused = proxy.legacy("initialize", hello).await;
    assert_eq!(refused.status, 503);
    assert!(refused.error_text().contains("spec.limits.sessions"));
    first.ask("ping", json!({})).await.result();
}
