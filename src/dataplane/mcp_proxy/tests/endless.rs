//! Streams without an end: one a session, and not more than the plan allows.

use agentkube_testkit::within;
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::kit::{Sitting, plan, serve, upstream};
use super::listen::next;
use super::old_server::{OldServer, ran};
use super::server::Spec;
use crate::edge::Body;

async fn listen(sitting: &Sitting<'_>) -> (u16, Body) {
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let (head, body) = sitting.proxy.send(request).await.into_parts();
    (head.status.as_u16(), body)
}

#[tokio::test]
async fn a_sessions_new_stream_takes_the_place_of_the_one_before() {
    let server = OldServer::start(&["echo"], ran).await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.sessions = 1;
    let proxy = serve(plan).await;
    let sitting = proxy.open(json!({})).await;
    let number = server.opened() - 1;
    let (_, first) = listen(&sitting).await;
    let (status, mut second) = listen(&sitting).await;
    assert_eq!(status, 200, "its place is the one before's");
    within("the first one ends", first.collect()).await.unwrap();
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let says = async {
        loop {
            server.say(number, &changed);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        heard = next(&mut second) => assert_eq!(heard["method"], changed["method"]),
        () = says => {}
    }
}

#[tokio::test]
async fn streams_are_bounded_like_sessions() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    let one = serve(plan.clone()).await;
    plan.limits.sessions = 1;
    // Any replica serves the sessions of the others, also beyond its own bound.
    let other = serve(plan).await;
    let (first, second) = (one.open(json!({})).await, one.open(json!({})).await);
    let (first, second) = (first.at(&other), second.at(&other));
    let (status, stream) = listen(&first).await;
    assert_eq!(status, 200);
    let (status, refused) = listen(&second).await;
    assert_eq!(status, 503);
    let refused = refused.collect().await.unwrap().to_bytes();
    let refused = std::str::from_utf8(&refused).unwrap();
    assert!(refused.contains("spec.limits.sessions"), "{refused}");
    drop(stream);
    assert_eq!(listen(&second).await.0, 200);
}
