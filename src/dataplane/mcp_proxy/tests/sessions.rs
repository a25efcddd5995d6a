//! The session with a legacy upstream that clients without one share, and that
//! is opened again when forgotten.

use agentkube_testkit::{Gate, Reply, eventually};
use futures::future::join;
use serde_json::json;

use super::kit::{clients, over, plan, serve, upstream};
use super::server::{Forgets, Spec, failure, response};
use crate::source::Secrets;

#[tokio::test]
async fn clients_share_one_session() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    proxy
        .legacy("tools/call", json!({"name": "echo"}))
        .await
        .result();
    proxy
        .modern("tools/call", json!({"name": "echo"}))
        .await
        .result();
    assert_eq!(server.got("initialize").len(), 1);
    let asked = server.got("initialize")[0].json();
    assert_eq!(
        asked["params"]["capabilities"],
        json!({}),
        "nothing to ask of us"
    );
    assert_eq!(server.got("notifications/initialized").len(), 1);
}

#[tokio::test]
async fn a_forgotten_session_is_opened_again_without_the_client_noticing() {
    for forgets in [Forgets::With404, Forgets::With400] {
        let server = Spec::legacy(&["echo"]).forgets(forgets).start().await;
        let proxy = over(&[&server]).await;
        proxy
            .legacy("tools/call", json!({"name": "echo"}))
            .await
            .result();
        server.forget();
        proxy
            .legacy("tools/call", json!({"name": "echo"}))
            .await
            .result();
        let sessions: Vec<_> = server.got("tools/call");
        assert_eq!(
            sessions.last().unwrap().header("mcp-session-id"),
            Some("session-1")
        );
    }
}

#[tokio::test]
async fn an_upstream_that_keeps_no_session_is_an_error_and_no_endless_loop() {
    let server = Spec::legacy(&["echo"])
        .on_call(|_, request| failure(404, request, -32001, "Session not found"))
        .start()
        .await;
    let answer = over(&[&server])
        .await
        .legacy("tools/call", json!({"name": "echo"}))
        .await;
    assert!(
        answer.error_text().contains("does not keep its session"),
        "{answer:?}"
    );
    assert_eq!(server.got("tools/call").len(), 3);
}

#[tokio::test]
async fn equal_ids_of_two_clients_get_their_own_answers() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Spec::legacy(&["slow", "fast"])
        .on_call(move |_, request| {
            let name = request["params"]["name"].clone();
            let reply = Reply::status(200).header("content-type", "application/json");
            let text = response(request, &json!({"content": [], "name": name})).to_string();
            let reply = if name == "slow" {
                reply.gate(&held)
            } else {
                reply
            };
            reply.chunk(text)
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let slow = proxy.legacy("tools/call", json!({"name": "slow"}));
    let fast = async {
        gate.reached().await;
        let answer = proxy.legacy("tools/call", json!({"name": "fast"})).await;
        gate.open();
        answer
    };
    let (slow, fast) = join(slow, fast).await;
    assert_eq!(
        (&slow.result()["name"], &fast.result()["name"]),
        (&json!("slow"), &json!("fast"))
    );
    let ids: Vec<_> = server
        .got("tools/call")
        .iter()
        .map(|r| r.json()["id"].clone())
        .collect();
    assert_ne!(ids[0], ids[1], "ids are unique in the shared session");
}

#[tokio::test]
async fn an_upstream_that_did_not_change_keeps_its_session_through_a_new_plan() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let mut first = plan(vec![upstream("a", &a.endpoint())]);
    first.tool_names.prefix = agentkube_plan::NamePrefix::Always;
    let proxy = serve(first.clone()).await;
    proxy.tool_names().await;
    let mut second = first;
    second.upstreams.push(upstream("b", &b.endpoint()));
    proxy
        .source
        .replace(second, &clients(), Secrets::new())
        .unwrap();
    assert_eq!(proxy.tool_names().await, ["a__x", "b__y"]);
    assert_eq!(a.got("initialize").len(), 1);
}

#[tokio::test]
async fn an_endpoint_without_a_path_is_found_at_mcp() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = serve(plan(vec![upstream("a", &server.upstream.url(""))])).await;
    assert_eq!(proxy.tool_names().await, ["echo"]);
    let at_root = Spec::legacy(&["echo"]).at("/").start().await;
    let proxy = serve(plan(vec![upstream("a", &at_root.upstream.url(""))])).await;
    assert_eq!(proxy.tool_names().await, ["echo"]);
}

#[tokio::test]
async fn the_session_of_an_upstream_that_left_the_plan_is_ended() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let proxy = over(&[&a]).await;
    proxy.tool_names().await;
    let next = plan(vec![upstream("b", &b.endpoint())]);
    proxy
        .source
        .replace(next, &clients(), Secrets::new())
        .unwrap();
    assert_eq!(proxy.tool_names().await, ["y"]);
    let ended = eventually("a DELETE", async || {
        a.upstream
            .requests()
            .into_iter()
            .find(|request| request.method == "DELETE")
    });
    assert_eq!(ended.await.header("mcp-session-id"), Some("session-0"));
}
