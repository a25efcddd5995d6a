//! Upstreams of the legacy HTTP+SSE transport.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentkube_plan::{HttpTransport, ProxyUpstream, UpstreamKind};
use agentkube_testkit::{Outcome, Reply, Upstream, eventually, within};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::kit::{bearer, legacy_message, plan, secret, serve, serve_with, upstream};
use super::listen::next;
use super::old_server::{self, OldServer, ran};
use super::pods::Pod;
use super::server::{Spec, response};
use crate::source::Secrets;

fn over(server: &OldServer, transport: HttpTransport) -> ProxyUpstream {
    let mut row = upstream("a", &server.endpoint());
    let endpoint = server.endpoint();
    row.kind = UpstreamKind::Http {
        endpoint,
        transport,
    };
    row
}

fn question(id: u32, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
}

#[tokio::test]
async fn clients_of_both_eras_call_it_and_those_without_a_session_share_one() {
    for transport in [HttpTransport::Sse, HttpTransport::Auto] {
        let server = OldServer::start(&["echo"], ran).await;
        let proxy = serve(plan(vec![over(&server, transport)])).await;
        assert_eq!(proxy.tool_names().await, ["echo"]);
        let called = json!({"name": "echo"});
        for answer in [
            proxy.modern("tools/call", called.clone()).await,
            proxy.legacy("tools/call", called.clone()).await,
        ] {
            assert_eq!(answer.result()["content"][0]["text"], "echo ran");
        }
        assert_eq!(server.opened(), 1, "{transport:?}");
        assert_eq!(server.got("notifications/initialized").len(), 1);
        // What finds out that nothing newer is spoken is not asked again.
        let posted = server.upstream.requests();
        let lost = posted
            .iter()
            .filter(|it| it.method == "POST" && it.route() == "/sse");
        let asked = if transport == HttpTransport::Auto {
            2
        } else {
            0
        };
        assert_eq!(lost.count(), asked);
    }
}

#[tokio::test]
async fn an_endpoint_without_a_path_is_also_tried_at_sse() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![upstream("a", &server.upstream.url(""))])).await;
    assert_eq!(proxy.tool_names().await, ["echo"]);
}

#[tokio::test]
async fn streamable_http_alone_never_falls_back() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![over(&server, HttpTransport::StreamableHttp)])).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(answer.error_text().contains("405"), "{answer:?}");
    assert_eq!(server.opened(), 0);
}

#[tokio::test]
async fn a_server_without_any_of_them_is_reported_as_it_answered() {
    let server = Upstream::start(|_| Reply::text(404, "text/html", "<h1>nothing</h1>")).await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(answer.error_text().contains("answers 404"), "{answer:?}");
}

#[tokio::test]
async fn our_credential_goes_with_every_request_and_to_no_other_origin() {
    let mut secrets = Secrets::new();
    secrets.insert(secret(), "a-token-that-is-secret");
    let server = OldServer::start(&["echo"], |request| {
        vec![response(
            request,
            &json!({"echo": "a-token-that-is-secret"}),
        )]
    })
    .await;
    let row = bearer(over(&server, HttpTransport::Sse));
    let proxy = serve_with(plan(vec![row]), secrets.clone()).await;
    let answer = proxy.legacy("tools/call", json!({"name": "echo"})).await;
    assert_eq!(answer.result()["echo"], "[redacted]");
    for request in server.upstream.requests() {
        let sent = request.header("authorization");
        assert_eq!(sent, Some("Bearer a-token-that-is-secret"));
    }

    let elsewhere = Upstream::start(|_| Reply::status(202)).await;
    let named: &'static str = Box::leak(elsewhere.url("/messages?s=").into_boxed_str());
    let server = OldServer::naming(named, &["echo"], ran).await;
    let row = bearer(over(&server, HttpTransport::Sse));
    let proxy = serve_with(plan(vec![row]), secrets).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(answer.error_text().contains("another origin"), "{answer:?}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_stream_that_is_cut_fails_what_waits_on_it_and_the_next_call_opens_another() {
    let gate = Arc::new(Mutex::new(true));
    let held = Arc::clone(&gate);
    let server = OldServer::start(&["slow"], move |request| {
        if *held.lock().unwrap() {
            Vec::new()
        } else {
            ran(request)
        }
    })
    .await;
    let proxy = serve(plan(vec![over(&server, HttpTransport::Sse)])).await;
    let call = proxy.modern("tools/call", json!({"name": "slow"}));
    let cut = async {
        eventually("the call arrives", async || {
            (server.got("tools/call").len() == 1).then_some(())
        })
        .await;
        server.cut();
    };
    let (answer, ()) = futures::future::join(call, cut).await;
    assert!(
        answer.error_text().contains("closed the stream"),
        "{answer:?}"
    );
    *gate.lock().unwrap() = false;
    let answer = proxy.modern("tools/call", json!({"name": "slow"})).await;
    assert_eq!(answer.result()["content"][0]["text"], "slow ran");
    assert_eq!(server.got("tools/call").len(), 2, "nothing was sent twice");
    assert_eq!(server.opened(), 2);
}

#[tokio::test]
async fn a_session_of_ones_own_carries_questions_progress_and_cancellation() {
    let server = OldServer::start(&["ask"], |message| match message["method"].as_str() {
        Some("tools/call") => {
            let token = &message["params"]["_meta"]["progressToken"];
            let progress = json!({"progressToken": token, "progress": 1});
            let method = "notifications/progress";
            vec![
                json!({"jsonrpc": "2.0", "method": method, "params": progress}),
                question(7, "elicitation/create"),
            ]
        }
        // The answer to the question ends the call.
        _ => vec![json!({
            "jsonrpc": "2.0", "id": "client-1", "result": {"heard": message["result"]},
        })],
    })
    .await;
    let proxy = serve(plan(vec![over(&server, HttpTransport::Sse)])).await;
    let sitting = proxy.open(json!({"elicitation": {}})).await;
    let params = json!({"name": "ask", "_meta": {"progressToken": "mine"}});
    let response = proxy
        .send(sitting.post(&legacy_message("tools/call", &params)))
        .await;
    let mut body = response.into_body();
    let mut said = String::new();
    while !said.contains("elicitation/create") {
        let frame = within("the question", body.frame()).await.unwrap().unwrap();
        said += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
    assert!(said.contains(r#""progressToken":"mine""#), "{said}");
    let asked = said
        .lines()
        .find(|line| line.contains("elicitation/create"));
    let asked: Value = serde_json::from_str(&asked.unwrap()["data: ".len()..]).unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
    assert_eq!(sitting.say(&answer).await.status, 202);
    let rest = within("the answer", body.collect())
        .await
        .unwrap()
        .to_bytes();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert!(rest.contains(r#""heard":{"action":"decline"}"#), "{rest}");

    sitting
        .say(&json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "x"},
        }))
        .await;
    eventually("the cancellation arrives", async || {
        (server.got("notifications/cancelled").len() == 1).then_some(())
    })
    .await;
    assert_eq!(server.opened(), 2, "ours, and the client's");
    assert_eq!(sitting.end().await, 204);
    let requests = server.upstream.requests();
    let last = requests.iter().rposition(|it| it.method == "GET").unwrap();
    assert_eq!(server.upstream.outcome(last).await, Outcome::ClientGone);
}

#[tokio::test]
async fn what_it_says_unasked_comes_on_the_clients_stream_and_pings_are_answered() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![over(&server, HttpTransport::Sse)])).await;
    let sitting = proxy.open(json!({})).await;
    let number = server.opened() - 1;
    let request = sitting.head("GET").body(http_body_util::Full::default());
    let mut body = proxy.send(request.unwrap()).await.into_body();
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let reads = async {
        let mut said = String::new();
        while !said.contains("list_changed") {
            let frame = within("the change", body.frame()).await.unwrap().unwrap();
            said += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    };
    // Nobody may be listening yet when it is said for the first time.
    let says = async {
        loop {
            server.say(number, &changed);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = reads => {}, () = says => {} }

    server.say(number, &question(99, "ping"));
    eventually("the answer to the ping", async || {
        let requests = server.upstream.requests();
        let mut posts = requests.iter().filter(|it| it.method == "POST");
        posts
            .find(|it| it.json()["id"] == 99 && it.json()["result"] == json!({}))
            .map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn another_replica_opens_a_session_of_its_own() {
    let server = OldServer::start(&["echo"], ran).await;
    let row = over(&server, HttpTransport::Sse);
    let one = serve(plan(vec![row.clone()])).await;
    let other = serve(plan(vec![row])).await;
    let sitting = one.open(json!({})).await;
    let there = sitting.at(&other);
    let answer = there.ask("tools/call", json!({"name": "echo"})).await;
    assert_eq!(answer.result()["content"][0]["text"], "echo ran");
}

#[tokio::test]
async fn a_session_is_served_where_its_stream_is_whichever_pod_is_asked() {
    let server = OldServer::start(&["ask"], |message| match message["method"].as_str() {
        Some("tools/call") => vec![question(7, "elicitation/create")],
        _ => vec![json!({
            "jsonrpc": "2.0", "id": "client-1", "result": {"heard": message["result"]},
        })],
    })
    .await;
    let mut plan = plan(vec![over(&server, HttpTransport::Auto)]);
    plan.alone = false;
    let one = Pod::start("uid-1", plan.clone()).await;
    let other = Pod::start("uid-2", plan).await;
    let sitting = one.tested.open(json!({"elicitation": {}})).await;
    let opened = server.opened();
    let there = sitting.at(&other.tested);
    let call = legacy_message("tools/call", &json!({"name": "ask"}));
    let mut body = other.tested.send(there.post(&call)).await.into_body();
    let asked = next(&mut body).await;
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}});
    assert_eq!(there.say(&answer).await.status, 202);
    let answered = next(&mut body).await;
    assert_eq!(answered["result"]["heard"]["action"], "accept");
    assert_eq!(server.opened(), opened, "the other Pod opened none");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_upstream_that_was_upgraded_is_spoken_to_in_the_new_way() {
    let upgraded = Arc::new(AtomicBool::new(false));
    let (old, streams) = old_server::script("/messages?session=", &["echo"], ran);
    let (new, _) = Spec::modern(&["echo"]).at("/sse").script();
    let is_new = Arc::clone(&upgraded);
    let server = Upstream::start(move |request| {
        if is_new.load(Ordering::SeqCst) {
            new(request)
        } else {
            old(request)
        }
    })
    .await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/sse"))])).await;
    let called = json!({"name": "echo"});
    proxy.modern("tools/call", called.clone()).await.result();
    upgraded.store(true, Ordering::SeqCst);
    streams.cut();
    eventually("it is spoken to in the new way", async || {
        let answer = proxy.modern("tools/call", called.clone()).await;
        answer.last()["error"].is_null().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_silent_is_asked_for_a_sign_of_life_and_closed_without_one() {
    for alive in [true, false] {
        let server = OldServer::start(&["slow"], move |message| match message["method"].as_str() {
            Some("ping") if alive => vec![response(message, &json!({}))],
            _ => Vec::new(),
        })
        .await;
        let mut row = over(&server, HttpTransport::Sse);
        row.timeouts.idle = Duration::from_secs(1);
        let proxy = serve(plan(vec![row])).await;
        assert_eq!(proxy.tool_names().await, ["slow"]);
        let answer = proxy.modern("tools/call", json!({"name": "slow"})).await;
        assert!(answer.error_text().contains("nothing came"), "{answer:?}");
        eventually("the question", async || {
            (!server.got("ping").is_empty()).then_some(())
        })
        .await;
        if !alive {
            assert_eq!(server.upstream.outcome(0).await, Outcome::ClientGone);
        }
        assert_eq!(proxy.tool_names().await, ["slow"]);
        assert_eq!(server.opened(), if alive { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_session_that_nobody_uses_closes_its_stream() {
    let server = OldServer::start(&["echo"], ran).await;
    let mut plan = plan(vec![over(&server, HttpTransport::Sse)]);
    plan.limits.session_idle = Duration::from_millis(1);
    // It may be closed before its greeting is over.
    serve(plan).await.legacy("tools/list", json!({})).await;
    assert_eq!(server.upstream.outcome(0).await, Outcome::ClientGone);
}

#[tokio::test]
async fn sessions_that_are_opened_at_once_keep_to_the_bound() {
    let server = OldServer::start(&["echo"], ran).await;
    let row = over(&server, HttpTransport::Sse);
    let one = serve(plan(vec![row.clone()])).await;
    let mut bounded = plan(vec![row]);
    bounded.limits.sessions = 1;
    let other = serve(bounded).await;
    other.tool_names().await;
    let mut sitting = Vec::new();
    for _ in 0..4 {
        sitting.push(one.open(json!({})).await.at(&other));
    }
    // There all of them want a stream of their own, where one is left.
    let calls = sitting
        .iter()
        .map(|it| it.ask("tools/call", json!({"name": "echo"})));
    let answers = futures::future::join_all(calls).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.last()["error"].is_null());
    assert_eq!(done.len(), 1, "{answers:?}");
    for answer in refused {
        let text = answer.error_text();
        assert!(text.contains("all 2 sessions"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_asks_without_taking_answers_loses_its_stream() {
    let asks = || (0..40).map(|id| question(id, "ping")).collect();
    let (old, _) = old_server::script("/messages?session=", &["echo"], move |_| asks());
    let server = Upstream::start(move |request| {
        let answered = old(request);
        let is_pong = request.method == "POST" && request.json()["result"] == json!({});
        if is_pong {
            Reply::status(202).stall()
        } else {
            answered
        }
    })
    .await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/sse"))])).await;
    let answer = proxy.modern("tools/call", json!({"name": "echo"})).await;
    let text = answer.error_text();
    assert!(text.contains("asks without taking the answers"), "{text}");
    let answers = server.requests().into_iter();
    let answers = answers.filter(|it| it.method == "POST" && it.json()["result"] == json!({}));
    assert!(answers.count() <= 16);
}

#[tokio::test]
async fn logs_that_come_one_way_for_all_are_promised_in_sessions_only() {
    let server = OldServer::start(&["echo"], ran).await;
    let proxy = serve(plan(vec![over(&server, HttpTransport::Sse)])).await;
    let modern = proxy.modern("server/discover", json!({})).await.result();
    assert!(modern["capabilities"]["logging"].is_null(), "{modern}");
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let legacy = proxy.legacy("initialize", hello).await.result();
    assert_eq!(legacy["capabilities"]["logging"], json!({}));
}
