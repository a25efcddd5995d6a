//! Lists that take long, and upstreams that come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agentkube_testkit::{Gate, Reply, Upstream};
use http_body_util::Full;
use serde_json::json;

use super::kit::{Tested, modern_message, modern_request, over, plan, serve, upstream};
use super::listen::next;
use super::server::{Spec, ToolServer, event, failure, response, tool};
use crate::edge::Body;

/// A server, and the switch that breaks it.
async fn breaks(spec: Spec) -> (Upstream, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let (script, _) = spec.script();
    let switch = Arc::clone(&broken);
    let server = Upstream::start(move |request| {
        if switch.load(Ordering::SeqCst) {
            return Reply::status(503);
        }
        script(request)
    });
    (server.await, broken)
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_announced_to_clients_of_both_eras() {
    for spec in [Spec::legacy(&["x"]), Spec::modern(&["x"])] {
        // It tells nobody itself.
        let spec = spec.can("tools", json!({}));
        let spec = spec.on_call(|_, message| failure(200, message, -32601, "no such method"));
        let (server, broken) = breaks(spec).await;
        let other = Spec::legacy(&["y"]).start().await;
        let both = plan(vec![
            upstream("a", &server.url("/mcp")),
            upstream("b", &other.endpoint()),
        ]);
        let proxy = serve(both).await;
        broken.store(true, Ordering::SeqCst);
        assert_eq!(proxy.tool_names().await, ["b__y"]);
        let sitting = proxy.open(json!({})).await;
        let request = sitting.head("GET").body(Full::default()).unwrap();
        let mut stream = proxy.send(request).await.into_body();
        let wanted = json!({"notifications": {"toolsListChanged": true}});
        let request = modern_request(&modern_message("subscriptions/listen", &wanted));
        let mut listened = proxy.send(request).await.into_body();
        next(&mut listened).await;
        broken.store(false, Ordering::SeqCst);
        let (names, one, two) =
            tokio::join!(proxy.tool_names(), next(&mut stream), next(&mut listened));
        for told in [one, two] {
            assert_eq!(told["method"], "notifications/tools/list_changed");
        }
        assert_eq!(names, ["a__x", "b__y"]);
    }
}

#[tokio::test]
async fn an_outage_that_a_client_finds_is_looked_at_before_a_minute_is_over() {
    let (server, broken) = breaks(Spec::legacy(&["x"])).await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let drain = crate::edge::Drain::new(Duration::from_secs(1));
    let mut following = tokio::task::JoinSet::new();
    following.spawn(proxy.proxy.clone().follow(drain));
    assert_eq!(proxy.tool_names().await, ["x"]);
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut listened = proxy.send(request).await.into_body();
    next(&mut listened).await;
    broken.store(true, Ordering::SeqCst);
    assert_eq!(proxy.legacy("tools/list", json!({})).await.code(), -32603);
    broken.store(false, Ordering::SeqCst);
    let told = next(&mut listened).await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_client_is_promised_to_hear_of_tools_that_only_the_proxy_looks_at() {
    let server = Spec::legacy(&["x"]).can("tools", json!({})).start().await;
    let proxy = over(&[&server]).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let greeted = proxy.legacy("initialize", hello).await.result();
    let discovered = proxy.modern("server/discover", json!({})).await.result();
    for said in [greeted, discovered] {
        assert_eq!(said["capabilities"]["tools"], json!({"listChanged": true}));
    }
}

#[tokio::test]
async fn a_list_may_take_longer_than_each_of_its_pages() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let held = gates.clone();
    let (script, _) = Spec::legacy(&["x"]).script();
    let server = Upstream::start(move |request| {
        let message = request.json();
        if message["method"] != "tools/list" {
            return script(request);
        }
        let cursor = message["params"]["cursor"].as_str();
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let mut result = json!({"tools": [tool(&format!("t{page}"))]});
        if page + 1 < held.len() {
            result["nextCursor"] = (page + 1).to_string().into();
        }
        let gate = &held[page];
        Reply::sse()
            .gate(gate)
            .chunk(event(&response(&message, &result)))
    })
    .await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let slowly = async {
        for gate in &gates {
            gate.reached().await;
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(6)).await;
            tokio::time::resume();
            gate.open();
        }
    };
    let (names, ()) = tokio::join!(proxy.tool_names(), slowly);
    assert_eq!(names, ["t0", "t1", "t2"]);
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A proxy that looks after its upstreams, of which `a` is this one.
async fn beside_another(
    server: &Upstream,
    other: &ToolServer,
) -> (Tested, tokio::task::JoinSet<()>) {
    let proxy = serve(plan(vec![
        upstream("a", &server.url("/mcp")),
        upstream("b", &other.endpoint()),
    ]))
    .await;
    let mut following = tokio::task::JoinSet::new();
    let drain = crate::edge::Drain::new(Duration::from_secs(1));
    following.spawn(proxy.proxy.clone().follow(drain));
    (proxy, following)
}

async fn listens(proxy: &Tested) -> Body {
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut listened = proxy.send(request).await.into_body();
    next(&mut listened).await;
    listened
}

#[tokio::test]
async fn an_upstream_that_hangs_holds_up_the_others_for_a_page_and_is_announced() {
    let gate = Gate::new();
    let held = gate.clone();
    let (script, _) = Spec::legacy(&["x"]).script();
    let server = Upstream::start(move |request| {
        let lists = request.method == "POST" && request.json()["method"] == "tools/list";
        if !lists {
            return script(request);
        }
        let result = json!({"tools": [tool("x")]});
        let answer = event(&response(&request.json(), &result));
        Reply::sse().gate(&held).chunk(answer)
    })
    .await;
    let other = Spec::legacy(&["y"]).start().await;
    let (proxy, _following) = beside_another(&server, &other).await;
    let mut listened = listens(&proxy).await;
    let hangs = async {
        gate.reached().await;
        // That of the proxy's own look, then that of the client.
        for _ in 0..2 {
            pass(Duration::from_secs(5)).await;
            tokio::task::yield_now().await;
            pass(Duration::from_secs(5)).await;
        }
    };
    let (names, ()) = tokio::join!(proxy.tool_names(), hangs);
    assert_eq!(names, ["b__y"]);
    gate.open();
    let told = next(&mut listened).await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(proxy.tool_names().await, ["a__x", "b__y"]);
}

#[tokio::test]
async fn a_list_that_takes_very_long_keeps_those_of_others_for_a_while_only() {
    // Five pages of six seconds, each time it is read.
    let pages = 5;
    let turn = Arc::new(std::sync::Mutex::new(Gate::new()));
    let held = Arc::clone(&turn);
    let (script, _) = Spec::legacy(&["x"]).script();
    let server = Upstream::start(move |request| {
        let message = request.json();
        if request.method != "POST" || message["method"] != "tools/list" {
            return script(request);
        }
        let cursor = message["params"]["cursor"].as_str();
        let page: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let mut result = json!({"tools": [tool(&format!("t{page}"))]});
        if page + 1 < pages {
            result["nextCursor"] = (page + 1).to_string().into();
        }
        let gate = held.lock().unwrap().clone();
        let answer = event(&response(&message, &result));
        Reply::sse().gate(&gate).chunk(answer)
    })
    .await;
    let other = Spec::legacy(&["y"]).start().await;
    let (proxy, _following) = beside_another(&server, &other).await;
    let mut listened = listens(&proxy).await;
    let slowly = async |pages: usize| {
        for _ in 0..pages {
            let gate = turn.lock().unwrap().clone();
            gate.reached().await;
            pass(Duration::from_secs(6)).await;
            *turn.lock().unwrap() = Gate::new();
            gate.open();
        }
    };
    let list = proxy.tool_names();
    let (names, ()) = tokio::join!(list, slowly(pages));
    assert_eq!(names, ["b__y"], "what takes longer is missing");
    let read = async { slowly(pages).await };
    let told = async { next(&mut listened).await };
    let told = tokio::select! { told = told => told, () = async { read.await; std::future::pending().await } => unreachable!() };
    assert_eq!(told["method"], "notifications/tools/list_changed");
    let whole = ["a__t0", "a__t1", "a__t2", "a__t3", "a__t4", "b__y"];
    let (names, ()) = tokio::join!(proxy.tool_names(), slowly(pages));
    assert_eq!(names, whole, "as it was read before");
}
