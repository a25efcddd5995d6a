//! Streams that are lost and gone on with, and sessions that nobody uses.

use std::time::Duration;

use agentkube_testkit::{Reply, eventually};
use http_body_util::Full;
use serde_json::json;

use super::kit::{over, plan, serve, upstream};
use super::listen::next;
use super::server::{Spec, event};

#[tokio::test]
async fn an_answer_whose_stream_ended_early_is_read_on_from_its_last_event() {
    let result = json!({"jsonrpc": "2.0", "id": "client-1", "result": {"content": []}});
    let server = Spec::legacy(&["slow"])
        .on_call(|_, _| Reply::sse().chunk("id: 4.2\nretry: 10\ndata:\n\n"))
        .on_stream(move || Reply::sse().chunk(format!("id: 4.3\n{}", event(&result))))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    let cut = sitting.ask("tools/call", json!({"name": "slow"})).await;
    assert_eq!(cut.status, 200);
    assert!(!cut.text.contains("error"), "the client reads on: {cut:?}");
    assert!(cut.text.contains("retry: 10\n"), "{cut:?}");
    let id = cut.text.lines().find_map(|line| line.strip_prefix("id: "));
    let id = id.unwrap().to_owned();
    assert_ne!(id, "4.2", "it says whose it is");

    // Whichever replica it comes to.
    let other = over(&[&server]).await;
    let there = sitting.at(&other);
    let request = there.head("GET").header("last-event-id", id);
    let resumed = other.exchange(request.body(Full::default()).unwrap()).await;
    assert_eq!(resumed.result(), json!({"content": []}));
    let gets = server.upstream.requests();
    let get = gets.iter().find(|request| request.method == "GET").unwrap();
    assert_eq!(get.header("last-event-id"), Some("4.2"));
    assert_eq!(
        get.header("mcp-session-id"),
        server.got("tools/call")[0].header("mcp-session-id")
    );
}

#[tokio::test]
async fn a_stream_that_promised_nothing_and_ends_early_is_an_error() {
    let server = Spec::legacy(&["cut"])
        .on_call(|_, _| Reply::sse().chunk(": hello\n\n"))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    let answer = sitting.ask("tools/call", json!({"name": "cut"})).await;
    assert_eq!(answer.code(), -32603);
}

#[tokio::test]
async fn a_sessions_stream_tells_and_asks_what_the_upstream_does() {
    let told = json!({
        "jsonrpc": "2.0", "method": "notifications/resources/updated",
        "params": {"uri": "file:///a", "x": 1.50},
    });
    let asked = json!({"jsonrpc": "2.0", "id": 3, "method": "roots/list"});
    let (first, second) = (told.clone(), asked);
    let server = Spec::legacy(&["echo"])
        .on_stream(move || {
            let stream = Reply::sse().chunk(event(&first)).chunk(event(&second));
            stream.stall()
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({"roots": {}})).await;
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let mut body = proxy.send(request).await.into_body();
    assert_eq!(next(&mut body).await, told);
    let question = next(&mut body).await;
    assert_eq!(question["method"], "roots/list");
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}});
    assert_eq!(sitting.say(&answer).await.status, 202);
    let answered = eventually("the answer", async || {
        let requests = server.upstream.requests().into_iter();
        let mut posts = requests.filter(|request| request.method == "POST");
        posts.find(|request| request.json()["result"]["roots"].is_array())
    });
    assert_eq!(answered.await.json()["id"], 3);
}

#[tokio::test]
async fn a_modern_client_has_no_get_and_no_delete() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    for method in ["GET", "DELETE"] {
        let request = super::kit::post()
            .method(method)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-session-id", &sitting.id);
        let request = request.body(Full::default()).unwrap();
        assert_eq!(proxy.exchange(request).await.status, 405, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_of_an_only_replica_is_ended_upstream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.session_idle = Duration::from_secs(60);
    let proxy = serve(plan).await;
    let sitting = proxy.open(json!({})).await;
    sitting
        .ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    let call = server.got("tools/call").pop().unwrap();
    let session = call.header("mcp-session-id").unwrap().to_owned();
    let drain = crate::edge::Drain::new(Duration::from_secs(1));
    let mut following = tokio::task::JoinSet::new();
    following.spawn(proxy.proxy.clone().follow(drain));
    tokio::time::advance(Duration::from_secs(90)).await;
    let ended = eventually("a DELETE", async || {
        let mut all = server.upstream.requests().into_iter();
        all.find(|request| request.method == "DELETE")
    });
    assert_eq!(ended.await.header("mcp-session-id"), Some(&*session));
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_400_without_a_message_too() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    for method in ["GET", "DELETE"] {
        let mut request = sitting.head(method).body(Full::default()).unwrap();
        let version = "1999-01-01".parse().unwrap();
        request
            .headers_mut()
            .insert("mcp-protocol-version", version);
        let answer = proxy.exchange(request).await;
        assert_eq!((answer.status, answer.code()), (400, -32022), "{method}");
    }
    sitting.ask("ping", json!({})).await.result();
}
