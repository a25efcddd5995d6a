//! What replicas tell each other is bounded, and who is silent or full keeps no other from it.

use std::time::Duration;

use agentkube_testkit::eventually;
use http::HeaderValue;
use serde_json::json;

use super::cancel::stalling;
use super::kit::{Sitting, Tested, plan, upstream};
use super::listen::next;
use super::peers::{call, cancel, ends, heard, port, stop, stream, two, two_of, two_with};
use super::pods::Pod;
use super::server::Spec;
use crate::edge::Drain;
use crate::mcp_proxy::pod_relay;

/// Bytes of a message that a client may send here.
const LONG: usize = 1024 * 1024;

fn untold(proxy: &Tested) -> u64 {
    proxy.counted(r#"agentkube_mcp_untold_total{namespace="team-a",name="tools"}"#)
}

/// What one replica answers another that says this of the session.
async fn tell(from: &Pod, to: &Pod, sitting: &Sitting<'_>, word: String) -> Result<String, String> {
    let state = from.tested.proxy.state();
    let serving = state.serving().unwrap();
    let session = HeaderValue::try_from(&sitting.id).unwrap();
    let word = word.into();
    let told = pod_relay::tell(state, &serving, to.address, "anonymous", &session, &word);
    let answer = told.await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.to_vec()).unwrap())
}

#[tokio::test]
async fn a_cancellation_as_long_as_a_message_is_told_to_nobody_and_counted() {
    let server = stalling(Spec::modern(&["slow"])).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.message_bytes = LONG as u64;
    let (one, other) = two_of(plan, &[]).await;
    let sitting = one.tested.open(json!({})).await;
    let mut body = call(&sitting, "slow").await;
    next(&mut body).await;
    let message = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "client-1", "reason": "x".repeat(LONG / 2)},
    });
    let there = sitting.at(&other.tested);
    assert_eq!(there.say(&message).await.status, 202);
    assert_eq!(untold(&other.tested), 1);
    cancel(&there, "client-1").await;
    ends(body).await;
    assert_eq!(heard(&one.tested), 1, "the short one only");
    stop([one, other]).await;
}

#[tokio::test]
async fn a_word_may_be_longer_than_a_message_of_a_client_and_has_a_bound_of_its_own() {
    let server = Spec::modern(&["echo"]).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let word = |padding: usize| {
        let spaces = " ".repeat(padding);
        format!("{{\"word\":\"known\",\"follows\":[]{spaces}}}")
    };
    assert!(tell(&other, &one, &sitting, word(128 * 1024)).await.is_ok());
    let refused = tell(&other, &one, &sitting, word(5 * 1024 * 1024)).await;
    assert!(refused.is_err(), "{refused:?}");
    stop([one, other]).await;
}

#[tokio::test]
async fn a_client_that_cancels_what_nobody_knows_keeps_no_end_from_being_told() {
    let server = Spec::modern(&["echo"]).start().await;
    let (_silent, takes) = port().await;
    let (one, other) = two_with(&server, &[takes]).await;
    let sitting = one.tested.open(json!({})).await;
    let there = sitting.at(&other.tested);
    for number in 0..300 {
        cancel(&there, &format!("nobody-knows-{number}")).await;
    }
    assert!(untold(&other.tested) > 250, "a session has a few at once");
    assert_eq!(there.end().await, 204);
    eventually("the end is told", async || {
        (sitting.ask("ping", json!({})).await.status == 404).then_some(())
    })
    .await;
    stop([one, other]).await;
}

#[tokio::test]
async fn a_silent_replica_keeps_no_other_from_what_is_handed_over() {
    let server = Spec::modern(&["echo"]).start().await;
    let (_silent, takes) = port().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.sessions = 100;
    let (one, other) = two_of(plan, &[takes]).await;
    for _ in 0..40 {
        one.tested.open(json!({})).await;
    }
    for live in one.tested.proxy.state().sessions.all() {
        live.choose_level_now("debug".to_owned());
    }
    let drain = Drain::new(Duration::ZERO);
    drain.start();
    one.tested.proxy.clone().follow(drain).await;
    let there = other.tested.proxy.state().sessions.all();
    let known = there.iter().filter(|live| live.level().is_some());
    assert_eq!(known.count(), 40);
    assert_eq!(untold(&one.tested), 40, "of the silent one");
    stop([one, other]).await;
}

#[tokio::test]
async fn a_stream_that_opens_learns_that_its_session_was_ended() {
    let server = Spec::modern(&["echo"]).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    // As where the end was told before the other began to serve.
    let state = one.tested.proxy.state();
    let live = state.sessions.all().pop().unwrap();
    state.sessions.end(&live);
    let there = sitting.at(&other.tested);
    ends(stream(&there).await).await;
    assert_eq!(there.ask("ping", json!({})).await.status, 404);
    stop([one, other]).await;
}

#[tokio::test]
async fn a_replica_that_cannot_remember_a_session_says_so() {
    let server = Spec::modern(&["echo"]).start().await;
    let (one, other) = two(&server).await;
    let sitting = one.tested.open(json!({})).await;
    let level = || json!({"word": "level", "level": "debug", "at": 1}).to_string();
    assert!(tell(&one, &other, &sitting, level()).await.is_ok());
    let sessions = &other.tested.proxy.state().sessions;
    sessions.sweep(Duration::ZERO);
    // As many as the plan has.
    for _ in 0..10 {
        other.tested.open(json!({})).await;
    }
    let refused = tell(&one, &other, &sitting, level()).await;
    assert_eq!(refused, Err("it answers with 404 Not Found".to_owned()));
    // It is served all the same.
    let there = sitting.at(&other.tested);
    there.ask("ping", json!({})).await.result();
    stop([one, other]).await;
}
