//! What calls, sessions and streams do when they are slow, refused or many.

use std::convert::Infallible;
use std::time::Duration;

use agentkube_testkit::{Gate, Reply, eventually};
use bytes::Bytes;
use futures::stream::pending;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::kit::{
    Answer, Sitting, legacy_message, modern_message, modern_request, over, plan, post, serve,
    upstream,
};
use super::listen::next;
use super::server::{Spec, event, failure, response};

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A call of a client that takes no stream.
async fn ask_for_json(session: &Sitting<'_>, name: &str) -> Answer {
    let message = legacy_message("tools/call", &json!({"name": name}));
    let mut request = session.post(&message);
    let json = http::HeaderValue::from_static("application/json");
    request.headers_mut().insert("accept", json);
    session.proxy.exchange(request).await
}

/// An answer that takes longer than a whole one may take to be one.
fn slow(gate: &Gate, answer: &Value) -> Reply {
    let wait = Reply::sse().chunk(": wait\n\n");
    wait.gate(gate).chunk(event(answer))
}

async fn opens_late(gate: &Gate) {
    gate.reached().await;
    pass(Duration::from_secs(1)).await;
    gate.open();
}

#[tokio::test]
async fn a_client_that_takes_only_json_gets_the_slow_answer_of_a_modern_upstream() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Spec::modern(&["slow"])
        .on_call(move |_, message| {
            let result = json!({"resultType": "complete", "content": []});
            slow(&held, &response(message, &result))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let session = proxy.open(json!({"elicitation": {}})).await;
    let (answer, ()) = tokio::join!(ask_for_json(&session, "slow"), opens_late(&gate));
    assert_eq!(answer.result()["content"], json!([]));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_client_that_takes_only_json_and_is_to_be_asked_is_told_so_under_its_id() {
    let server = Spec::modern(&["ask"])
        .on_call(|_, message| {
            let question = json!({"method": "elicitation/create", "params": {"message": "?"}});
            let result = json!({"resultType": "input_required", "inputRequests": {"q": question}});
            Reply::json(200, &response(message, &result))
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let session = proxy.open(json!({"elicitation": {}})).await;
    let answer = ask_for_json(&session, "ask").await;
    assert_eq!(answer.last()["id"], "client-1");
    assert!(answer.error_text().contains("accept text/event-stream"));
}

#[tokio::test]
async fn what_a_client_cancels_is_no_failure_of_the_upstream() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Spec::legacy(&["slow", "quick"])
        .on_call(move |_, message| match message["params"]["name"].as_str() {
            Some("slow") => slow(&held, &response(message, &json!({}))),
            _ => Reply::json(200, &response(message, &json!({"content": []}))),
        })
        .start()
        .await;
    let mut only = upstream("a", &server.endpoint());
    only.breaker.failures = 1;
    let proxy = serve(plan(vec![only])).await;
    let session = proxy.open(json!({})).await;
    let cancel = async {
        gate.reached().await;
        pass(Duration::from_secs(1)).await;
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": "client-1"}});
        assert_eq!(session.say(&cancelled).await.status, 202);
    };
    let (answer, ()) = tokio::join!(ask_for_json(&session, "slow"), cancel);
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    let quick = session.ask("tools/call", json!({"name": "quick"})).await;
    quick.result();
}

fn resources() -> Spec {
    Spec::legacy(&["echo"])
        .list(
            "resources",
            "resources",
            json!([{"uri": "x:1", "name": "one"}]),
        )
        .on_call(|_, message| match message["params"]["uri"].as_str() {
            Some("x:no") => failure(200, message, -32602, "no such resource"),
            _ => Reply::json(200, &response(message, &json!({}))),
        })
}

#[tokio::test]
async fn what_an_upstream_refused_to_tell_of_it_is_not_asked_for_again() {
    let server = resources().start().await;
    let proxy = over(&[&server]).await;
    let session = proxy.open(json!({})).await;
    let follow = |uri: &str| session.ask("resources/subscribe", json!({"uri": uri}));
    follow("x:1").await.result();
    assert_eq!(follow("x:no").await.code(), -32602);
    server.forget();
    let call = json!({"name": "echo"});
    session.ask("tools/call", call).await.result();
    let asked = server.got("resources/subscribe");
    let uris: Vec<Value> = asked
        .iter()
        .map(|it| it.json()["params"]["uri"].clone())
        .collect();
    assert_eq!(uris, ["x:1", "x:no", "x:1"], "once more in the new session");
}

#[tokio::test]
async fn a_greeting_that_asks_nothing_forgives_no_failure() {
    let server = Spec::modern(&["cut"])
        .on_call(|_, _| Reply::sse().chunk(": nothing\n\n"))
        .start()
        .await;
    let mut only = upstream("a", &server.endpoint());
    only.breaker.failures = 2;
    let proxy = serve(plan(vec![only])).await;
    let call = || proxy.modern("tools/call", json!({"name": "cut"}));
    call().await;
    proxy.modern("server/discover", json!({})).await.result();
    call().await;
    let third = call().await;
    assert!(third.error_text().contains("left alone"), "{third:?}");
    assert_eq!(server.got("tools/call").len(), 2);
}

#[tokio::test]
async fn who_listens_is_told_in_the_session_that_took_the_place_of_a_lost_one() {
    let never = Gate::new();
    let server = Spec::legacy(&["echo"])
        .on_stream(move || Reply::sse().chunk(": open\n\n").gate(&never))
        .on_call(|_, message| Reply::json(200, &response(message, &json!({}))))
        .can("resources", json!({"subscribe": true}))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let wanted = json!({"notifications": {"resourceSubscriptions": ["x:1"]}});
    let listening = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut body = proxy.send(listening).await.into_body();
    let first = next(&mut body).await;
    let accepted = &first["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(*accepted, json!(["x:1"]));
    let followed = || server.got("resources/subscribe").len();
    let read = async { while http_body_util::BodyExt::frame(&mut body).await.is_some() {} };
    let reopened = async {
        eventually("followed", async || (followed() == 1).then_some(())).await;
        let streams = || server.upstream.requests();
        let opened = |requests: Vec<std::sync::Arc<agentkube_testkit::Request>>| {
            requests.iter().filter(|it| it.method == "GET").count()
        };
        eventually("heard", async || (opened(streams()) == 1).then_some(())).await;
        // The stream of the lost session stays open, and says nothing more.
        server.forget();
        let call = json!({"name": "echo"});
        proxy.modern("tools/call", call).await.result();
        eventually("followed again", async || (followed() == 2).then_some(())).await;
        eventually("heard again", async || {
            (opened(streams()) == 2).then_some(())
        })
        .await;
    };
    tokio::select! {
        () = read => panic!("the stream ended"),
        () = reopened => {}
    }
}

#[tokio::test]
async fn a_slow_sender_keeps_no_call_of_others_waiting() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.concurrent_calls = 1;
    let proxy = serve(plan).await;
    let endless = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
    let mut sending = proxy.proxy.service().oneshot(post().body(endless).unwrap());
    assert!(futures::poll!(&mut sending).is_pending());
    assert_eq!(proxy.tool_names().await, ["echo"]);
}

#[tokio::test]
async fn a_call_that_waits_for_input_is_under_way_and_its_input_gets_through() {
    let server = Spec::modern(&["ask"])
        .on_call(|_, message| {
            let answered = message["params"].get("inputResponses").is_some();
            let question = json!({"method": "elicitation/create", "params": {"message": "?"}});
            let result = match answered {
                true => json!({"resultType": "complete", "content": []}),
                false => json!({"resultType": "input_required", "inputRequests": {"q": question}}),
            };
            Reply::json(200, &response(message, &result))
        })
        .start()
        .await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.concurrent_calls = 1;
    let proxy = serve(plan).await;
    let session = proxy.open(json!({"elicitation": {}})).await;
    let call = legacy_message("tools/call", &json!({"name": "ask"}));
    let mut body = proxy.send(session.post(&call)).await.into_body();
    let question = next(&mut body).await;
    let second = proxy.legacy("tools/call", json!({"name": "ask"})).await;
    assert_eq!(second.status, 503, "{second:?}");
    let given = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}});
    let (said, last) = tokio::join!(session.say(&given), next(&mut body));
    assert_eq!(said.status, 202);
    assert_eq!(last["result"]["content"], json!([]));
    drop(body);
    proxy.tool_names().await;
}

#[tokio::test]
async fn there_are_as_many_listeners_as_sessions() {
    let server = Spec::modern(&["echo"]).start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.limits.sessions = 1;
    let proxy = serve(plan).await;
    let listening = || {
        let wanted = json!({"notifications": {"toolsListChanged": true}});
        modern_request(&modern_message("subscriptions/listen", &wanted))
    };
    let first = proxy.send(listening()).await;
    let second = proxy.exchange(listening()).await;
    assert_eq!(second.status, 503);
    assert!(second.error_text().contains("spec.limits.sessions"));
    drop(first);
    assert_eq!(proxy.send(listening()).await.status(), 200);
}

#[tokio::test]
async fn an_upstream_that_holds_sessions_is_made_anew_for_other_bounds_of_them_only() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = serve(plan(vec![upstream("a", &server.endpoint())])).await;
    let mut next = plan(vec![upstream("a", &server.endpoint())]);
    let call = || proxy.legacy("tools/call", json!({"name": "echo"}));
    let serve_next = |plan: &agentkube_plan::ProxyPlan| {
        let mut secrets = crate::source::Secrets::new();
        let keys = plan.session_keys.clone().unwrap();
        secrets.insert(keys.current, "the key that all replicas share");
        let source = &proxy.source;
        source.replace(plan.clone(), &super::kit::clients(), secrets)
    };
    call().await.result();
    next.limits.concurrent_calls += 1;
    serve_next(&next).unwrap();
    call().await.result();
    assert_eq!(server.got("initialize").len(), 1, "its session is kept");
    next.limits.session_idle /= 2;
    serve_next(&next).unwrap();
    call().await.result();
    assert_eq!(server.got("initialize").len(), 2);
}
