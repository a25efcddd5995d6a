//! Clients that do not read hold up nobody, and clients that leave leave nothing.

use std::sync::Arc;

use agentkube_testkit::{Feed, Gate, Reply, Upstream, eventually};
use http_body_util::BodyExt;
use serde_json::json;

use super::kit::{legacy_message, modern_message, modern_request, over, plan, serve, upstream};
use super::listen::next;
use super::old_clients::Old;
use super::server::{Spec, ToolServer, event, response};
use crate::edge::Body;

/// A legacy server that answers this method when the gate opens.
async fn holds(method: &'static str, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    let (script, _) = Spec::legacy(&["echo"]).script();
    let server = Upstream::start(move |request| {
        if request.method != "POST" || request.json()["method"] != method {
            return script(request);
        }
        let message = request.json();
        let result = match method {
            "initialize" => json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "scripted", "version": "1"},
            }),
            _ => json!({"tools": [super::server::tool("echo")]}),
        };
        let answer = event(&response(&message, &result));
        // The first session that it opens has this id.
        drop(script(request));
        let head = Reply::sse().header("mcp-session-id", "session-0");
        head.gate(&gate).chunk(answer)
    });
    server.await
}

/// Reads until the gate is reached, and no further.
async fn read_until(gate: &Gate, body: &mut Body) {
    tokio::select! {
        () = gate.reached() => {}
        _ = body.frame() => panic!("nothing is to be said"),
    }
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody_who_waits_for_the_same_greeting() {
    let gate = Gate::new();
    let server = holds("initialize", &gate).await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let mut idle = Old::open(&proxy).await;
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    idle.say(&legacy_message("initialize", &hello)).await;
    read_until(&gate, &mut idle.body).await;
    gate.open();
    assert_eq!(proxy.tool_names().await, ["echo"]);
    drop(idle);
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody_who_waits_for_the_same_list() {
    let gate = Gate::new();
    let server = holds("tools/list", &gate).await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let mut idle = Old::greeted(&proxy, "2025-06-18", json!({})).await;
    idle.say(&legacy_message("tools/list", &json!({}))).await;
    read_until(&gate, &mut idle.body).await;
    gate.open();
    assert_eq!(proxy.tool_names().await, ["echo"]);
    drop(idle);
}

#[tokio::test]
async fn a_listener_that_does_not_read_keeps_no_change_from_others() {
    let feed = Feed::new();
    let told = feed.clone();
    let server = Spec::legacy(&["echo"])
        .on_stream(move || Reply::sse().head().feed(&told))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let listen = async || {
        let wanted = json!({"notifications": {"toolsListChanged": true}});
        let request = modern_request(&modern_message("subscriptions/listen", &wanted));
        let mut body = proxy.send(request).await.into_body();
        let first = next(&mut body).await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        body
    };
    let mut idle = listen().await;
    let reads = eventually("it reads what is told to all", async || {
        let requests = server.upstream.requests();
        requests.iter().any(|it| it.method == "GET").then_some(())
    });
    tokio::select! { () = reads => {}, _ = idle.frame() => panic!("nothing is to be said") }
    let mut other = listen().await;
    feed.send(event(
        &json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}),
    ));
    let heard = next(&mut other).await;
    assert_eq!(heard["method"], "notifications/tools/list_changed");
    drop(idle);
}
