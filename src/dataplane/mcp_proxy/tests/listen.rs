//! Streams of changes: of modern clients, and of legacy sessions over modern
//! upstreams.

use agentkube_testkit::{Gate, Reply, within};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::kit::{modern_message, modern_request, over, plan, serve, upstream};
use super::server::{Spec, event};
use crate::edge::Body;

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

pub(super) async fn next(body: &mut Body) -> Value {
    loop {
        let frame = within("an event", body.frame()).await;
        let bytes = frame.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: {")) {
            return serde_json::from_str(&format!("{{{data}")).unwrap();
        }
    }
}

fn change(list: &str) -> Value {
    let method = format!("notifications/{list}/list_changed");
    json!({"jsonrpc": "2.0", "method": method, "params": {"_meta": {SUBSCRIPTION: 7, "k": 1.50}}})
}

/// A modern server that tells of changed tools and prompts as soon as somebody
/// listens.
fn tells(gate: &Gate) -> Spec {
    let gate = gate.clone();
    Spec::modern(&["echo"]).on_call(move |_, message| {
        assert_eq!(message["method"], "subscriptions/listen");
        let wanted = message["params"]["notifications"].clone();
        let first = json!({
            "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": wanted, "_meta": {SUBSCRIPTION: message["id"]}},
        });
        Reply::sse()
            .chunk(event(&first))
            .chunk(event(&change("prompts")))
            .chunk(event(&change("tools")))
            .gate(&gate)
    })
}

#[tokio::test]
async fn a_modern_client_hears_what_it_asked_for_under_its_own_id() {
    let server = tells(&Gate::new()).start().await;
    let proxy = over(&[&server]).await;
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut body = proxy.send(request).await.into_body();
    let first = next(&mut body).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        first["params"]["notifications"],
        json!({"toolsListChanged": true})
    );
    assert_eq!(first["params"]["_meta"][SUBSCRIPTION], "client-1");
    let told = next(&mut body).await;
    assert_eq!(
        told["method"], "notifications/tools/list_changed",
        "no prompts"
    );
    assert_eq!(
        told["params"]["_meta"],
        json!({SUBSCRIPTION: "client-1", "k": 1.50})
    );
}

#[tokio::test]
async fn a_stream_of_changes_ends_with_a_result_at_the_drain() {
    let server = tells(&Gate::new()).start().await;
    let proxy = over(&[&server]).await;
    let drain = crate::edge::Drain::new(std::time::Duration::from_secs(1));
    let mut following = tokio::task::JoinSet::new();
    following.spawn(proxy.proxy.clone().follow(drain.clone()));
    let wanted = json!({"notifications": {}});
    let request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let mut body = proxy.send(request).await.into_body();
    next(&mut body).await;
    drain.start();
    let last = next(&mut body).await;
    assert_eq!(last["id"], "client-1");
    assert_eq!(last["result"]["resultType"], "complete");
    assert_eq!(last["result"]["_meta"][SUBSCRIPTION], "client-1");
    assert!(within("the end", body.frame()).await.is_none());
}

#[tokio::test]
async fn a_legacy_session_hears_of_a_modern_upstreams_changed_lists() {
    let server = tells(&Gate::new()).start().await;
    let proxy = over(&[&server]).await;
    let sitting = proxy.open(json!({})).await;
    let request = sitting
        .head("GET")
        .body(http_body_util::Full::default())
        .unwrap();
    let mut body = proxy.send(request).await.into_body();
    let told = next(&mut body).await;
    assert_eq!(
        told,
        json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"})
    );
}

#[tokio::test]
async fn a_legacy_upstreams_one_stream_is_heard_by_every_modern_client() {
    let gate = Gate::new();
    let (told, held) = (change("tools"), gate.clone());
    let server = Spec::legacy(&["echo"])
        .on_stream(move || Reply::sse().gate(&held).chunk(event(&told)).stall())
        .start()
        .await;
    let proxy = over(&[&server]).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let wanted = json!({"notifications": {"toolsListChanged": true}});
        let request = modern_request(&modern_message("subscriptions/listen", &wanted));
        let mut body = proxy.send(request).await.into_body();
        next(&mut body).await;
        streams.push(body);
    }
    let (mut one, mut other) = (streams.remove(0), streams.remove(0));
    let hears = async {
        let (one, other) = tokio::join!(next(&mut one), next(&mut other));
        assert_eq!(one["method"], "notifications/tools/list_changed");
        assert_eq!(one["method"], other["method"]);
    };
    let opens = async {
        gate.reached().await;
        gate.open();
    };
    tokio::join!(hears, opens);
    let gets = server.upstream.requests();
    let gets = gets.iter().filter(|request| request.method == "GET");
    assert_eq!(gets.count(), 1);
}

/// A modern server with a resource that changed as soon as somebody follows it.
pub(super) fn watched() -> Spec {
    let resources = json!([{"uri": "file:///a", "name": "a"}]);
    let spec = Spec::modern(&[]).list("resources", "resources", resources);
    spec.can("resources", json!({"subscribe": true}))
        .on_call(|_, message| {
            assert_eq!(message["method"], "subscriptions/listen");
            let followed = &message["params"]["notifications"]["resourceSubscriptions"];
            let stream = Reply::sse().chunk(event(&change("tools")));
            if followed.is_null() {
                return stream.stall();
            }
            let tells = |uri: &str| {
                let meta = json!({SUBSCRIPTION: message["id"], "k": 1});
                let params = json!({"uri": uri, "_meta": meta});
                let method = "notifications/resources/updated";
                event(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            };
            let others = tells("file:///of-nobody");
            stream
                .chunk(others)
                .chunk(tells(followed[0].as_str().unwrap()))
                .stall()
        })
}

#[tokio::test]
async fn a_legacy_session_follows_a_modern_upstreams_resources() {
    let server = watched().start().await;
    let proxy = over(&[&server]).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let greeted = proxy.legacy("initialize", hello).await.result();
    assert_eq!(greeted["capabilities"]["resources"]["subscribe"], true);
    let sitting = proxy.open(json!({})).await;
    let request = sitting.head("GET").body(http_body_util::Full::default());
    let mut body = proxy.send(request.unwrap()).await.into_body();
    let first = next(&mut body).await;
    assert_eq!(first["method"], "notifications/tools/list_changed");
    let uri = json!({"uri": "file:///a"});
    let answer = sitting.ask("resources/subscribe", uri.clone()).await;
    assert_eq!(answer.result(), json!({}));
    let mut told = next(&mut body).await;
    while told["method"] == "notifications/tools/list_changed" {
        told = next(&mut body).await;
    }
    let params = json!({"uri": "file:///a", "_meta": {"k": 1}});
    assert_eq!(told["params"], params, "under no id of a subscription");
    sitting.ask("resources/unsubscribe", uri).await.result();
    assert_eq!(
        next(&mut body).await["method"],
        "notifications/tools/list_changed",
        "it was asked anew"
    );
    let asked = server.got("subscriptions/listen").pop().unwrap().json();
    assert!(asked["params"]["notifications"]["resourceSubscriptions"].is_null());
    assert!(server.got("resources/subscribe").is_empty());
}

#[tokio::test]
async fn where_another_replica_may_have_the_stream_nothing_modern_is_followed() {
    let server = watched().start().await;
    let mut plan = plan(vec![upstream("a", &server.endpoint())]);
    plan.alone = false;
    let proxy = serve(plan).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let greeted = proxy.legacy("initialize", hello).await.result();
    assert!(greeted["capabilities"]["resources"]["subscribe"].is_null());
    let sitting = proxy.open(json!({})).await;
    let uri = json!({"uri": "file:///a"});
    let answer = sitting.ask("resources/subscribe", uri).await;
    assert_eq!(answer.code(), -32601);
}
