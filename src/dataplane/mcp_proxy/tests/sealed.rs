//! Sessions of legacy clients: served by any replica, with a session of their
//! own at every upstream that keeps some.

use agentkube_testkit::{Gate, Reply, eventually, within};
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::kit::{KEY, OTHER_KEY, Tested, over, plan, post, serve, upstream};
use super::listen::next;
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

/// A modern server that needs a name before it greets.
async fn needs_a_name() -> ToolServer {
    Spec::modern(&["greet"])
        .on_call(|_, message| {
            let params = &message["params"];
            let result = match params["inputResponses"]["who"]["content"]["name"].as_str() {
                Some(name) if params["requestState"] == "step-1" => {
                    json!({"resultType": "complete", "content": [{"type": "text", "text": name}]})
                }
                _ => json!({
                    "resultType": "input_required",
                    "inputRequests": {"who": {
                        "method": "elicitation/create",
                        "params": {"mode": "form", "message": "Who?", "requestedSchema": {}},
                    }},
                    "requestState": "step-1",
                }),
            };
            Reply::json(200, &response(message, &result))
        })
        .start()
        .await
}

#[tokio::test]
async fn a_legacy_client_is_asked_for_what_a_modern_upstream_needs() {
    let server = needs_a_name().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({"elicitation": {}})).await;
    let call = super::kit::legacy_message("tools/call", &json!({"name": "greet"}));
    let mut body = proxy.send(sitting.post(&call)).await.into_body();
    let question = next(&mut body).await;
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "Who?");
    let given = json!({"action": "accept", "content": {"name": "Ada"}});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": given});
    assert_eq!(sitting.say(&answer).await.status, 202);
    let last = next(&mut body).await;
    assert_eq!(last["id"], "client-1");
    assert_eq!(
        last["result"],
        json!({"content": [{"type": "text", "text": "Ada"}]})
    );
    let meta = &server.got("tools/call")[0].json()["params"]["_meta"];
    let declared = &meta["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(*declared, json!({"elicitation": {}}));
    assert_eq!(sitting.say(&answer).await.status, 400, "it was answered");
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_gets_an_error_and_no_half_result() {
    let server = needs_a_name().await;
    let proxy = over(&[&server]).await;
    let answer = proxy.legacy("tools/call", json!({"name": "greet"})).await;
    assert!(answer.error_text().contains("needs input"), "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_comes_to_another_replica_is_passed_on_to_the_call() {
    let server = needs_a_name().await;
    let (one, other) = two_replicas(&server).await;
    let drain = crate::edge::Drain::new(std::time::Duration::from_secs(1));
    let mut serving = tokio::task::JoinSet::new();
    for proxy in [&one, &other] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        proxy.proxy.listens_on(listener.local_addr().unwrap());
        let service = proxy.proxy.service();
        serving.spawn(crate::edge::serve(listener, service, drain.clone()));
    }
    let sitting = one.open(json!({"elicitation": {}})).await;
    let call = super::kit::legacy_message("tools/call", &json!({"name": "greet"}));
    let mut body = one.send(sitting.post(&call)).await.into_body();
    let question = next(&mut body).await;
    let given = json!({"action": "accept", "content": {"name": "Ada"}});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": given});
    assert_eq!(sitting.at(&other).say(&answer).await.status, 202);
    assert_eq!(next(&mut body).await["result"]["content"][0]["text"], "Ada");
}

#[tokio::test]
async fn a_request_state_is_good_for_its_call_at_any_replica_and_for_no_other() {
    let server = needs_a_name().await;
    let (one, other) = two_replicas(&server).await;
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
    let call = json!({"name": "greet", "arguments": {"a": 1}, "_meta": meta});
    let first = one.modern("tools/call", call.clone()).await.result();
    assert_eq!(first["resultType"], "input_required");
    let state = &first["requestState"];
    assert_ne!(*state, "step-1", "sealed");
    let mut again = call;
    again["requestState"] = state.clone();
    again["inputResponses"] = json!({"who": {"action": "accept", "content": {"name": "Ada"}}});
    let result = other.modern("tools/call", again.clone()).await.result();
    assert_eq!(result["content"][0]["text"], "Ada");
    again["arguments"] = json!({"a": 2});
    assert_eq!(one.modern("tools/call", again.clone()).await.code(), -32602);
    again["arguments"] = json!({"a": 1});
    again["requestState"] = json!("step-1");
    assert_eq!(one.modern("tools/call", again).await.code(), -32602);
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_its_client_is_asked_is_not_made_again() {
    let server = needs_a_name().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({"elicitation": {}})).await;
    let call = super::kit::legacy_message("tools/call", &json!({"name": "greet"}));
    let mut body = proxy.send(sitting.post(&call)).await.into_body();
    let question = next(&mut body).await;
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "client-1"},
    });
    assert_eq!(sitting.say(&cancel).await.status, 202);
    let rest = within("the end", body.collect()).await.unwrap();
    assert!(rest.to_bytes().is_empty(), "no answer comes");
    let given = json!({"action": "accept", "content": {"name": "Ada"}});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": given});
    assert_eq!(sitting.say(&answer).await.status, 400, "nobody waits");
    assert_eq!(server.got("tools/call").len(), 1);
    // The id is free again.
    let mut body = proxy.send(sitting.post(&call)).await.into_body();
    assert_eq!(next(&mut body).await["method"], "elicitation/create");
}
