//! Clients that do not read hold up nobody, and clients that leave leave nothing.

use std::sync::Arc;

use agentkube_testkit::{Feed, Gate, Reply, Upstream, eventually, within};
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
    assert_eq!(within("the tools", proxy.tool_names()).await, ["echo"]);
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
    assert_eq!(within("the tools", proxy.tool_names()).await, ["echo"]);
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

/// The sessions that its clients ended.
fn ended(requests: &[Arc<agentkube_testkit::Request>]) -> Vec<String> {
    let ends = requests.iter().filter(|it| it.method == "DELETE");
    ends.map(|it| it.header("mcp-session-id").unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_client_that_leaves_before_it_is_greeted_leaves_no_session() {
    let gate = Gate::new();
    let slow = holds("initialize", &gate).await;
    let quick: ToolServer = Spec::legacy(&["x"]).start().await;
    let proxy = serve(plan(vec![
        upstream("quick", &quick.endpoint()),
        upstream("slow", &slow.url("/mcp")),
    ]))
    .await;
    // The session that all share, which stays.
    assert_eq!(quick.got("initialize").len(), 0);
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let mut leaving = Box::pin(proxy.legacy("initialize", hello));
    let both = async {
        gate.reached().await;
        eventually("its own session is open", async || {
            (quick.got("notifications/initialized").len() == 2).then_some(())
        })
        .await;
    };
    tokio::select! {
        () = both => {}
        _ = &mut leaving => panic!("one upstream is silent"),
    }
    drop(leaving);
    let ended = eventually("its session is ended", async || {
        let ended = ended(&quick.upstream.requests());
        (!ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.await, ["session-1"]);
    gate.open();
    assert_eq!(proxy.tool_names().await, ["quick__x", "slow__echo"]);
}

#[tokio::test]
async fn a_session_that_is_opened_for_a_client_that_left_is_ended_when_it_is_there() {
    let (script, _) = Spec::legacy(&["echo"]).script();
    let gate = Gate::new();
    let held = gate.clone();
    let opened = std::sync::atomic::AtomicUsize::new(0);
    let server = Upstream::start(move |request| {
        let is_greeting = request.method == "POST" && request.json()["method"] == "initialize";
        let is_own = is_greeting && opened.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        if !is_own {
            return script(request);
        }
        drop(script(request));
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let head = Reply::sse().header("mcp-session-id", "session-1");
        head.gate(&held)
            .chunk(event(&response(&request.json(), &result)))
    })
    .await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let mut leaving = Box::pin(proxy.legacy("initialize", hello));
    tokio::select! {
        () = gate.reached() => {}
        _ = &mut leaving => panic!("the upstream is silent"),
    }
    drop(leaving);
    gate.open();
    let ended = eventually("its session is ended", async || {
        let ended = ended(&server.requests());
        (!ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.await, ["session-1"]);
}

#[tokio::test]
async fn a_client_that_does_not_take_its_id_leaves_no_session_and_who_takes_it_keeps_it() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let hello = legacy_message("initialize", &hello).to_string();
    let greet = || {
        let body = http_body_util::Full::from(hello.clone());
        proxy.send(super::kit::post().body(body).unwrap())
    };
    let taken = greet().await;
    let length = http_body::Body::size_hint(taken.body()).exact();
    let bytes = taken.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(length, Some(bytes.len() as u64));
    drop(greet().await);
    let ended = eventually("the session is ended", async || {
        let ended = ended(&server.upstream.requests());
        (!ended.is_empty()).then_some(ended)
    });
    // Those of the proxy and of who took the id are open.
    assert_eq!(ended.await, ["session-2"]);
}
