//! What a client says in its session at one replica, and what another does of it.

use std::net::SocketAddr;
use std::time::Duration;

use agentkube_plan::ProxyPlan;
use agentkube_testkit::{Outcome, Reply, eventually, within};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cancel::stalling;
use super::kit::{Sitting, Tested, legacy_message, plan, upstream};
use super::listen::{next, watched};
use super::pods::{Pod, shows_twice};
use super::server::{Spec, ToolServer, response};
use crate::edge::{Body, Drain};
use crate::mcp_proxy::pod_relay;
use crate::mcp_proxy::telling::Word;

/// Requests of other replicas at once.
const MOST: usize = 100;

pub(super) async fn port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two replicas over a server, that look for others at these addresses too.
pub(super) async fn two_with(server: &ToolServer, others: &[SocketAddr]) -> (Pod, Pod) {
    two_of(plan(vec![upstream("a", &server.endpoint())]), others).await
}

/// Two replicas of this plan.
pub(super) async fn two_of(mut plan: ProxyPlan, others: &[SocketAddr]) -> (Pod, Pod) {
    let (first, second) = (port().await, port().await);
    plan.alone = false;
    let all = others.iter().chain([&first.1, &second.1]);
    plan.peers = all.map(ToString::to_string).collect();
    let one = Pod::listening("uid-1", plan.clone(), MOST, first).await;
    (one, Pod::listening("uid-2", plan, MOST, second).await)
}

pub(super) async fn two(server: &ToolServer) -> (Pod, Pod) {
    two_with(server, &[]).await
}

pub(super) async fn stop(pods: [Pod; 2]) {
    for pod in pods {
        pod.stop().await;
    }
}

pub(super) async fn call(sitting: &Sitting<'_>, tool: &str) -> Body {
    let call = legacy_message("tools/call", &json!({"name": tool}));
    sitting.proxy.send(sitting.post(&call)).await.into_body()
}

pub(super) async fn stream(sitting: &Sitting<'_>) -> Body {
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let answer = sitting.proxy.send(request).await;
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

pub(super) async fn cancel(sitting: &Sitting<'_>, request: &str) {
    let message = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": request, "reason": "enough"},
    });
    assert_eq!(sitting.say(&message).await.status, 202);
}

/// How many words of others a replica took.
pub(super) fn heard(proxy: &Tested) -> u64 {
    proxy.counted(
        r#"agentkube_requests_total{kind="mcp",namespace="team-a",name="tools",route="told",code="2xx"}"#,
    )
}

/// The next message that is no change of the lists. A stream that says nothing more is
/// kept alive, so each of its frames would be waited for anew.
async fn next_but_lists(body: &mut Body) -> Value {
    let message = async {
        loop {
            let message = next(body).await;
            if message["method"] != "notifications/tools/list_changed" {
                return message;
            }
        }
    };
    within("a message", message).await
}

async fn has_heard(proxy: &Tested, words: u64) {
    eventually("the words", async || (heard(proxy) == words).then_some(())).await;
}

pub(super) async fn ends(body: Body) {
    let rest = within("the end", body.collect()).await.unwrap();
    let text = String::from_utf8(rest.to_bytes().to_vec()).unwrap();
    assert!(!text.contains("\"result\""), "{text}");
}

#[tokio::test]
async fn a_cancellation_at_another_replica_ends_a_call_of_a_modern_upstream() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    assert_eq!(next(&mut body).await["method"], "notifications/message");
    cancel(&sitting.at(&other.tested), "client-1").await;
    ends(body).await;
    let number = server.got("tools/call")[0].number;
    assert_eq!(server.upstream.outcome(number).await, Outcome::ClientGone);
    stop([one, other]).await;
}

#[tokio::test]
async fn a_cancellation_at_another_replica_ends_a_call_of_a_legacy_upstream() {
    let server = stalling(Spec::legacy(&["slow"])).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    next(&mut body).await;
    cancel(&sitting.at(&other.tested), "client-1").await;
    // The upstream says nothing more: without being told the client would wait.
    ends(body).await;
    let told = server.got("notifications/cancelled").pop().unwrap();
    assert_eq!(told.json()["params"]["requestId"], "client-1");
    stop([one, other]).await;
}

#[tokio::test]
async fn nobody_cancels_a_call_of_another_session_by_its_id() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    next(&mut body).await;
    let stranger = one.tested.open(json!({})).await;
    cancel(&stranger.at(&other.tested), "client-1").await;
    eventually("the word", async || (heard(&one.tested) == 1).then_some(())).await;
    assert!(body.frame().now_or_never().is_none(), "it goes on");
    cancel(&sitting.at(&other.tested), "client-1").await;
    ends(body).await;
    stop([one, other]).await;
}

#[tokio::test]
async fn a_word_is_taken_for_the_client_whose_session_it_names_and_for_no_other() {
    let server = Spec::modern(&["echo"]).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let session = HeaderValue::try_from(&sitting.id).unwrap();
    let state = other.tested.proxy.state();
    let serving = state.serving().unwrap();
    let word = serde_json::to_vec(&Word::Ended).unwrap();
    let tell = async |client: &str, session: &HeaderValue, word: &[u8]| {
        let word = Bytes::copy_from_slice(word);
        let told = pod_relay::tell(state, &serving, one.address, client, session, &word);
        told.await.map_err(|error| error.to_string())
    };
    let not_found = format!("it answers with {}", StatusCode::NOT_FOUND);
    let refused = tell("team-a/agent", &session, &word).await;
    assert_eq!(refused, Err(not_found.clone()));
    let made_up = HeaderValue::from_static("made-up");
    assert_eq!(
        tell("anonymous", &made_up, &word).await,
        Err(not_found.clone())
    );
    assert_eq!(tell("anonymous", &session, b"{}").await, Err(not_found));
    sitting.ask("ping", json!({})).await.result();
    assert!(tell("anonymous", &session, &word).await.is_ok());
    assert_eq!(sitting.ask("ping", json!({})).await.status, 404);
    stop([one, other]).await;
}

#[tokio::test]
async fn a_word_is_good_once_and_at_its_address() {
    let server = Spec::modern(&["echo"]).start().await;
    // Whoever listens in takes the ticket first, and shows it to the right Pod and to
    // one of another address.
    for (is_meant, statuses) in [(true, [200, 403]), (false, [403, 403])] {
        let (ear, at) = port().await;
        let (real, address) = port().await;
        let mut plan = plan(vec![upstream("a", &server.endpoint())]);
        plan.alone = false;
        plan.peers = vec![at.to_string()];
        let taken_for = if is_meant { at } else { address };
        let one = Pod::listening("uid-1", plan.clone(), MOST, (real, taken_for)).await;
        let other = Pod::listening("uid-2", plan, MOST, port().await).await;
        let listening = tokio::spawn(shows_twice(ear, address));
        let sitting = other.tested.open(json!({})).await;
        cancel(&sitting, "client-1").await;
        assert_eq!(within("the ticket", listening).await.unwrap(), statuses);
        stop([one, other]).await;
    }
}

#[tokio::test]
async fn replicas_that_are_gone_or_silent_keep_no_other_from_being_told() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let (gone, closed) = port().await;
    drop(gone);
    let (_silent, takes) = port().await;
    let (one, other) = two_with(&server, &[closed, takes]).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    next(&mut body).await;
    cancel(&sitting.at(&other.tested), "client-1").await;
    ends(body).await;
    eventually("the one that is gone is counted", async || {
        let line = r#"agentkube_mcp_untold_total{namespace="team-a",name="tools"}"#;
        (other.tested.counted(line) > 0).then_some(())
    })
    .await;
    stop([one, other]).await;
}

#[tokio::test]
async fn what_is_followed_at_one_replica_is_heard_on_the_stream_of_another() {
    let server = watched().start().await;
    let (one, other) = two(&server).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let greeted = one.tested.legacy("initialize", hello).await.result();
    assert_eq!(greeted["capabilities"]["resources"]["subscribe"], true);
    let sitting = one.tested.open(json!({})).await;
    let mut body = stream(&sitting).await;
    next(&mut body).await;
    let there = sitting.at(&other.tested);
    let uri = json!({"uri": "file:///a"});
    let answer = there.ask("resources/subscribe", uri.clone()).await;
    assert_eq!(answer.result(), json!({}));
    let told = next_but_lists(&mut body).await;
    assert_eq!(told["params"]["uri"], "file:///a");
    there.ask("resources/unsubscribe", uri).await.result();
    let asked_anew = next(&mut body).await;
    assert_eq!(asked_anew["method"], "notifications/tools/list_changed");
    let asked = server.got("subscriptions/listen").pop().unwrap().json();
    assert!(asked["params"]["notifications"]["resourceSubscriptions"].is_null());
    stop([one, other]).await;
}

#[tokio::test]
async fn a_stream_that_opens_learns_what_was_said_before_and_takes_the_place_of_another() {
    let server = watched().start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let before = stream(&sitting).await;
    let uri = json!({"uri": "file:///a"});
    sitting.ask("resources/subscribe", uri).await.result();
    // As for a replica that began to serve after that.
    let forgetful = other.tested.proxy.state();
    forgetful.sessions.sweep(Duration::ZERO);
    let mut body = stream(&sitting.at(&other.tested)).await;
    let told = next_but_lists(&mut body).await;
    assert_eq!(told["params"]["uri"], "file:///a");
    ends(before).await;
    assert!(body.frame().now_or_never().is_none(), "it is open");
    stop([one, other]).await;
}

#[tokio::test]
async fn a_log_level_is_known_to_the_replica_that_did_not_hear_it() {
    let server = Spec::modern(&["echo"]).capability("logging");
    let server = server
        .on_call(|_, message| Reply::json(200, &response(message, &json!({"content": []}))))
        .start()
        .await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let there = sitting.at(&other.tested);
    for (words, level) in [(1, "debug"), (2, "error")] {
        let chosen = sitting.ask("logging/setLevel", json!({"level": level}));
        chosen.await.result();
        has_heard(&other.tested, words).await;
        there
            .ask("tools/call", json!({"name": "echo"}))
            .await
            .result();
        let asked = server.got("tools/call").pop().unwrap().json();
        let meta = &asked["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/logLevel"], level);
    }
    stop([one, other]).await;
}

#[tokio::test]
async fn a_session_that_was_ended_at_another_replica_is_404_and_its_stream_ends() {
    let server = Spec::modern(&["echo"]).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let body = stream(&sitting).await;
    assert_eq!(sitting.at(&other.tested).end().await, 204);
    ends(body).await;
    assert_eq!(sitting.ask("ping", json!({})).await.status, 404);
    stop([one, other]).await;
}

#[tokio::test]
async fn a_replica_that_ends_hands_over_what_those_after_it_did_not_hear() {
    let server = watched().start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let uri = json!({"uri": "file:///a"});
    sitting.ask("resources/subscribe", uri).await.result();
    // As one that began to serve after that.
    other.tested.proxy.state().sessions.sweep(Duration::ZERO);
    let before = stream(&sitting).await;
    let drain = Drain::new(Duration::ZERO);
    drain.start();
    one.tested.proxy.clone().follow(drain).await;
    ends(before).await;
    let id = sitting.id.clone();
    one.stop().await;
    let proxy = &other.tested;
    let mut body = stream(&Sitting { proxy, id }).await;
    let told = next_but_lists(&mut body).await;
    assert_eq!(told["params"]["uri"], "file:///a");
    other.stop().await;
}

#[tokio::test]
async fn what_is_followed_at_a_legacy_upstream_is_followed_again_by_the_replica_with_the_stream() {
    let resources = json!([{"uri": "file:///a", "name": "a"}]);
    let server = Spec::legacy(&["echo"])
        .list("resources", "resources", resources)
        .on_call(|_, request| Reply::json(200, &response(request, &json!({}))))
        .start()
        .await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let uri = json!({"uri": "file:///a"});
    sitting
        .at(&other.tested)
        .ask("resources/subscribe", uri.clone())
        .await
        .result();
    eventually("the word", async || (heard(&one.tested) == 1).then_some(())).await;
    server.forget();
    sitting
        .ask("tools/call", json!({"name": "echo"}))
        .await
        .result();
    let again = server.got("resources/subscribe").pop().unwrap();
    let call = server.got("tools/call").pop().unwrap();
    assert_eq!(again.json()["params"], uri);
    assert_eq!(
        again.header("mcp-session-id"),
        call.header("mcp-session-id")
    );
    stop([one, other]).await;
}

#[tokio::test]
async fn a_call_of_a_replica_that_drains_is_cancelled_through_another() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    next(&mut body).await;
    let drain = Drain::new(Duration::ZERO);
    drain.start();
    one.tested.proxy.clone().follow(drain).await;
    cancel(&sitting.at(&other.tested), "client-1").await;
    ends(body).await;
    stop([one, other]).await;
}
