//! Tools that are not granted to a client do not exist for it.

use agentkube_plan::{ClientAuth, NamePrefix, ProxyPlan, ToolFilter, ToolGrant};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::kit::{
    Answer, KEY, OTHER_KEY, Tested, legacy_message, modern_message, modern_request, plan, post,
    serve, upstream,
};
use super::server::{Spec, ToolServer};

fn grant(client: &str, tools: &[&str]) -> ToolGrant {
    ToolGrant {
        clients: vec![client.to_owned()],
        tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
    }
}

/// `team-a/agent` may open, `ci` may do all.
fn granting(servers: &[&ToolServer]) -> ProxyPlan {
    let upstreams = servers.iter().zip(["a", "b"]);
    let mut plan = plan(
        upstreams
            .map(|(server, name)| upstream(name, &server.endpoint()))
            .collect(),
    );
    plan.auth = ClientAuth::Apikey;
    plan.access = vec![grant("team-*/agent", &["*open*"]), grant("ci", &["*"])];
    plan
}

fn keyed(key: &str, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request
        .headers_mut()
        .insert("x-api-key", key.parse().unwrap());
    request
}

impl Tested {
    async fn legacy_as(&self, key: &str, method: &str, params: Value) -> Answer {
        let body = legacy_message(method, &params).to_string();
        let request = post().header("mcp-protocol-version", "2025-11-25");
        let request = request.body(Full::from(body)).unwrap();
        self.exchange(keyed(key, request)).await
    }

    async fn modern_as(&self, key: &str, method: &str, params: Value) -> Answer {
        let request = modern_request(&modern_message(method, &params));
        self.exchange(keyed(key, request)).await
    }
}

#[tokio::test]
async fn each_client_sees_and_calls_what_it_is_granted() {
    for server in [
        Spec::legacy(&["open", "shut"]),
        Spec::modern(&["open", "shut"]),
    ] {
        let server = server.start().await;
        let proxy = serve(granting(&[&server])).await;
        let list = |key: &'static str| proxy.legacy_as(key, "tools/list", json!({}));
        assert_eq!(list(KEY).await.names("tools", "name"), ["open"]);
        assert_eq!(
            list(OTHER_KEY).await.names("tools", "name"),
            ["open", "shut"]
        );
        let call = |key, name: &str| proxy.legacy_as(key, "tools/call", json!({"name": name}));
        call(KEY, "open").await.result();
        call(OTHER_KEY, "shut").await.result();
        assert_eq!(call(KEY, "shut").await.code(), -32602);
        assert_eq!(server.got("tools/call").len(), 2);
    }
}

#[tokio::test]
async fn a_tool_that_is_not_granted_is_answered_like_an_absent_one_to_the_byte() {
    let (a, b) = (
        Spec::legacy(&["open", "shut"]).start().await,
        Spec::modern(&["open", "shut"]).start().await,
    );
    let mut both = granting(&[&a, &b]);
    both.tool_names.prefix = NamePrefix::Always;
    let proxy = serve(both).await;
    proxy.legacy_as(OTHER_KEY, "tools/list", json!({})).await;
    for upstream in ["a", "b"] {
        let (shut, nope) = (format!("{upstream}__shut"), format!("{upstream}__nope"));
        let call = |name: &str| proxy.legacy_as(KEY, "tools/call", json!({"name": name}));
        let (denied, absent) = (call(&shut).await, call(&nope).await);
        assert_eq!(denied.text, absent.text.replace("nope", "shut"));
        assert_eq!(denied.headers, absent.headers);
        assert_eq!((denied.status, denied.code()), (absent.status, -32602));
        let call = |name: &str| proxy.modern_as(KEY, "tools/call", json!({"name": name}));
        let (denied, absent) = (call(&shut).await, call(&nope).await);
        assert_eq!(denied.text, absent.text.replace("nope", "shut"));
        assert_eq!(denied.status, absent.status);
    }
    // Not even whether it is there is told by what an upstream that is down would say.
    a.upstream.stop().await;
    let call = |name: &str| proxy.legacy_as(KEY, "tools/call", json!({"name": name}));
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(call("a__shut").await.text, call("a__nope").await.text);
}

#[tokio::test]
async fn a_list_that_differs_by_client_is_not_for_shared_caches() {
    let server = Spec::modern(&["open", "shut"]).start().await;
    let proxy = serve(granting(&[&server])).await;
    let list = proxy.modern_as(KEY, "tools/list", json!({})).await.result();
    assert_eq!(list["cacheScope"], "private");
    assert_eq!(list["ttlMs"], 5000);
}

#[tokio::test]
async fn filter_and_grant_must_both_let_a_tool_through() {
    let server = Spec::legacy(&["open", "reopen"]).start().await;
    let mut one = granting(&[&server]);
    one.upstreams[0].tools = vec![ToolFilter::Deny(vec!["re*".to_owned()])];
    let proxy = serve(one).await;
    let list = proxy.legacy_as(KEY, "tools/list", json!({})).await;
    assert_eq!(list.names("tools", "name"), ["open"]);
}

#[tokio::test]
async fn a_client_without_a_grant_has_an_empty_list() {
    let server = Spec::legacy(&["open"]).start().await;
    let mut one = granting(&[&server]);
    one.access = vec![grant("somebody", &["*"])];
    let proxy = serve(one).await;
    let list = proxy.legacy_as(KEY, "tools/list", json!({})).await;
    assert_eq!(list.names("tools", "name"), [""; 0]);
}

#[tokio::test]
async fn with_a_batch_the_grants_are_the_same() {
    let server = Spec::legacy(&["open", "shut"]).start().await;
    let proxy = serve(granting(&[&server])).await;
    let call = legacy_message("tools/call", &json!({"name": "shut"}));
    let body = json!([call]).to_string();
    let request = post().header("mcp-protocol-version", "2025-03-26");
    let request = request.body(Full::from(body)).unwrap();
    let answer = proxy.exchange(keyed(KEY, request)).await;
    assert!(answer.text.contains("-32602"), "{answer:?}");
    assert_eq!(server.got("tools/call").len(), 0);
}

#[tokio::test]
async fn no_other_message_gets_past_the_grants() {
    let server = Spec::legacy(&["open", "shut"]).start().await;
    let proxy = serve(granting(&[&server])).await;
    let described = proxy
        .legacy_as(KEY, "tools/describe", json!({"name": "shut"}))
        .await;
    assert_eq!(described.code(), -32601);
    // A call without an id, which a careless server would obey.
    let body = json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "shut"}});
    let request = post().body(Full::from(body.to_string())).unwrap();
    assert_eq!(proxy.exchange(keyed(KEY, request)).await.status, 202);
    let body = json!({"jsonrpc": "2.0", "method": "notifications/own", "params": {}});
    let request = post().body(Full::from(body.to_string())).unwrap();
    proxy.exchange(keyed(KEY, request)).await;
    agentkube_testkit::eventually("the notification arrives", async || {
        (server.got("notifications/own").len() == 1).then_some(())
    })
    .await;
    assert_eq!(server.got("tools/call").len(), 0);
}
