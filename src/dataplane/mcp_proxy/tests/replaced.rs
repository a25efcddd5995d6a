//! Streams that are open when another plan is served.

use agentkube_plan::{ClientAuth, ClientEntry, ClientTable, KeyHash, ProxyPlan};
use agentkube_testkit::{Reply, eventually, within};
use http_body_util::{BodyExt, Full};
use serde_json::json;

use super::kit::{
    KEY, OTHER_KEY, Tested, clients, modern_message, modern_request, over, plan, serve, upstream,
};
use super::listen::next;
use super::server::{Spec, ToolServer, event};
use crate::edge::Body;
use crate::source::Secrets;

fn of(server: &ToolServer, name: &str) -> ProxyPlan {
    plan(vec![upstream(name, &server.endpoint())])
}

/// Serves this from now on.
pub(super) fn replace(proxy: &Tested, plan: ProxyPlan, clients: &ClientTable) {
    let mut secrets = Secrets::new();
    if let Some(keys) = &plan.session_keys {
        secrets.insert(keys.current.clone(), "the key that all replicas share");
    }
    proxy.source.replace(plan, clients, secrets).unwrap();
    assert!(proxy.proxy.status().digest().is_some());
}

async fn listen(proxy: &Tested, key: &str) -> Body {
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let mut request = modern_request(&modern_message("subscriptions/listen", &wanted));
    let key = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    let mut body = proxy.send(request).await.into_body();
    let first = next(&mut body).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    body
}

async fn ends_with_news(mut body: Body) {
    assert_eq!(
        next(&mut body).await["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(next(&mut body).await["result"]["resultType"], "complete");
    assert!(within("the end", body.frame()).await.is_none());
}

async fn sessions_ended(server: &ToolServer, number: usize) {
    eventually("the sessions are ended", async || {
        let requests = server.upstream.requests();
        let ends = requests.iter().filter(|it| it.method == "DELETE").count();
        (ends == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_removed_upstream_is_let_go_and_a_new_one_announced() {
    let (old, new) = (
        Spec::legacy(&["x"]).start().await,
        Spec::modern(&["y"]).start().await,
    );
    let proxy = over(&[&old]).await;
    let sitting = proxy.open(json!({})).await;
    let body = listen(&proxy, KEY).await;
    let request = sitting.head("GET").body(Full::default()).unwrap();
    let stream = proxy.send(request).await.into_body();
    replace(&proxy, of(&new, "b"), &clients());
    ends_with_news(body).await;
    let rest = within("the end", stream.collect())
        .await
        .unwrap()
        .to_bytes();
    let rest = String::from_utf8(rest.to_vec()).unwrap();
    assert!(rest.contains("retry: 1000\n"), "{rest}");
    assert!(rest.contains("notifications/tools/list_changed"), "{rest}");
    assert_eq!(proxy.tool_names().await, ["y"]);
    // The proxy's own session, and the client's.
    sessions_ended(&old, 2).await;
}

#[tokio::test]
async fn a_client_whose_key_is_revoked_hears_nothing_more_and_others_do() {
    let told = event(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    let gate = agentkube_testkit::Gate::new();
    let held = gate.clone();
    let server = Spec::legacy(&["x"])
        .on_stream(move || Reply::sse().gate(&held).chunk(told.clone()).stall())
        .start()
        .await;
    let keyed = || ProxyPlan {
        auth: ClientAuth::Apikey,
        ..of(&server, "a")
    };
    let proxy = serve(keyed()).await;
    let (revoked, mut other) = (listen(&proxy, KEY).await, listen(&proxy, OTHER_KEY).await);
    let mut table = clients();
    table.clients.retain(|client| client.name == "ci");
    table.clients.push(ClientEntry {
        name: "new".to_owned(),
        keys: vec![KeyHash::of(b"a-third-key-of-16-or-more")],
    });
    replace(&proxy, keyed(), &table);
    ends_with_news(revoked).await;
    let hears = async {
        let heard = next(&mut other).await;
        assert_eq!(
            heard["method"], "notifications/tools/list_changed",
            "not its end"
        );
        assert!(heard["params"]["_meta"].is_object());
    };
    tokio::join!(hears, async {
        gate.reached().await;
        gate.open();
    });
    let second = within("silence", futures::future::poll_immediate(other.frame())).await;
    assert!(second.is_none(), "it goes on");
}
