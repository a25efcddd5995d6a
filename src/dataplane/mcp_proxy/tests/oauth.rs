//! Tokens of the client-credentials grant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentkube_plan::{OAuth2, ProxyUpstream, SecretEntry, UpstreamAuth};
use agentkube_testkit::{Gate, Reply, Request, Upstream, eventually};
use serde_json::json;

use super::kit::{Tested, plan, serve_with, upstream};
use super::server::{Spec, ToolServer, response};
use crate::source::Secrets;

const SECRET: &str = "the-client-secret";

fn entry() -> SecretEntry {
    SecretEntry {
        name: "id".to_owned(),
        key: "secret".to_owned(),
    }
}

fn with_tokens(name: &str, endpoint: &str, token_url: &str) -> ProxyUpstream {
    ProxyUpstream {
        auth: UpstreamAuth::Oauth2(OAuth2 {
            token_url: token_url.to_owned(),
            client_id: "agents".to_owned(),
            secret: entry(),
            scopes: vec!["tools".to_owned()],
            audience: None,
        }),
        ..upstream(name, endpoint)
    }
}

async fn proxy(upstreams: Vec<ProxyUpstream>) -> Tested {
    let mut secrets = Secrets::new();
    secrets.insert(entry(), SECRET);
    serve_with(plan(upstreams), secrets).await
}

async fn over(server: &ToolServer, id: &Upstream) -> Tested {
    let upstream = with_tokens("a", &server.endpoint(), &id.url("/token"));
    proxy(vec![upstream]).await
}

/// A token endpoint that gives `token-number-1`, then `token-number-2`, …
async fn token_endpoint(lifetime: u64) -> Upstream {
    let given = AtomicUsize::new(0);
    Upstream::start(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        token(&format!("token-number-{number}"), lifetime)
    })
    .await
}

fn token(token: &str, lifetime: u64) -> Reply {
    let body = json!({"access_token": token, "token_type": "bearer", "expires_in": lifetime});
    Reply::json(200, &body)
}

fn bearer(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

async fn call(proxy: &Tested) -> super::kit::Answer {
    proxy.legacy("tools/call", json!({"name": "echo"})).await
}

/// Lets time go by without waiting for it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A server that takes a call only with these tokens, and lists always.
fn strict(takes: fn(&str) -> bool) -> Spec {
    Spec::legacy(&["echo"]).on_call(move |request, message| {
        if takes(bearer(request)) {
            Reply::json(200, &response(message, &json!({"content": []})))
        } else {
            Reply::status(401).header("www-authenticate", "Bearer")
        }
    })
}

#[tokio::test]
async fn one_token_serves_all_calls() {
    let gate = Gate::new();
    let held = gate.clone();
    let id = Upstream::start(move |_| {
        let body = json!({"access_token": "token-number-1", "token_type": "Bearer"});
        Reply::text(200, "application/json", "")
            .gate(&held)
            .chunk(body.to_string())
    })
    .await;
    let server = Spec::modern(&["echo"]).start().await;
    let proxy = Arc::new(over(&server, &id).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let proxy = Arc::clone(&proxy);
        calls.spawn(async move { call(&proxy).await.result() });
    }
    gate.reached().await;
    gate.open();
    calls.join_all().await;
    assert_eq!(id.requests().len(), 1, "the calls share one request");
    let requests = server.upstream.requests();
    assert!(requests.len() >= 10);
    assert!(
        requests
            .iter()
            .all(|request| bearer(request) == "Bearer token-number-1")
    );
    let asked = id.request(0).await;
    assert!(bearer(&asked).starts_with("Basic "));
    assert_eq!(asked.body, "grant_type=client_credentials&scope=tools");
}

#[tokio::test]
async fn an_aging_token_is_replaced_while_it_still_serves() {
    let id = token_endpoint(1000).await;
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&server, &id).await;
    call(&proxy).await.result();
    pass(Duration::from_secs(950)).await;
    call(&proxy).await.result();
    let last = server.got("tools/call").pop().unwrap();
    assert_eq!(bearer(&last), "Bearer token-number-1", "nobody waits");
    eventually("the next token is used", async || {
        call(&proxy).await.result();
        let last = server.got("tools/call").pop().unwrap();
        (bearer(&last) == "Bearer token-number-2").then_some(())
    })
    .await;
    assert_eq!(id.requests().len(), 2);
}

#[tokio::test]
async fn an_expired_token_is_not_sent() {
    let id = token_endpoint(1000).await;
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&server, &id).await;
    call(&proxy).await.result();
    pass(Duration::from_secs(1001)).await;
    call(&proxy).await.result();
    let last = server.got("tools/call").pop().unwrap();
    assert_eq!(bearer(&last), "Bearer token-number-2");
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_sent_once_more() {
    let id = token_endpoint(1000).await;
    let server = strict(|bearer| bearer == "Bearer token-number-2")
        .start()
        .await;
    let proxy = over(&server, &id).await;
    call(&proxy).await.result();
    assert_eq!(server.got("tools/call").len(), 2);
    call(&proxy).await.result();
    assert_eq!(id.requests().len(), 2, "the new token stays");
}

#[tokio::test]
async fn an_upstream_that_refuses_every_token_is_an_error_and_no_endless_loop() {
    let id = token_endpoint(1000).await;
    let server = strict(|_| false).start().await;
    let proxy = over(&server, &id).await;
    for _ in 0..3 {
        let answer = call(&proxy).await;
        let text = answer.error_text();
        assert!(text.contains("refuses our credentials with 401"), "{text}");
    }
    // Listing worked with the first token; the second was refused, and another
    // would be too.
    assert_eq!(id.requests().len(), 2);
    assert_eq!(server.got("tools/call").len(), 4);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_named_and_the_secret_is_not() {
    let id = Upstream::start(|_| {
        let body = json!({"error": "invalid_client", "error_description": SECRET});
        Reply::json(401, &body)
    })
    .await;
    let (server, other) = (
        Spec::legacy(&["echo"]).start().await,
        Spec::legacy(&["echo"]).start().await,
    );
    let url = id.url("/token");
    let broken = with_tokens("a", &server.endpoint(), &format!("{url}?tenant=t"));
    let proxy = proxy(vec![broken, upstream("b", &other.endpoint())]).await;
    assert_eq!(proxy.tool_names().await, ["b__echo"]);
    let answer = proxy.legacy("tools/call", json!({"name": "a__echo"})).await;
    let why = format!(
        "no token from {url} with Secret \"id\", key \"secret\": \
         it answers 401 Unauthorized (invalid_client)"
    );
    assert_eq!(answer.error_text(), format!("upstream \"a\": {why}"));
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    assert_eq!(rows[0].message.as_deref(), Some(why.as_str()));
    assert_eq!(rows[0].reachable, Some(false));
    assert_eq!(server.upstream.requests().len(), 0);
    // In the header and in the body, once: calls in the next second share the failure.
    assert_eq!(id.requests().len(), 2);
}

#[tokio::test]
async fn a_failed_token_endpoint_is_asked_again_later() {
    let id = Upstream::start({
        let asked = AtomicUsize::new(0);
        move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::status(503),
            _ => token("token-number-1", 1000),
        }
    })
    .await;
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&server, &id).await;
    let text = call(&proxy).await.error_text();
    assert!(
        text.ends_with("it answers 503 Service Unavailable"),
        "{text}"
    );
    pass(Duration::from_secs(2)).await;
    call(&proxy).await.result();
}

#[tokio::test]
async fn a_server_that_wants_the_secret_in_the_body_gets_it_there() {
    let id = Upstream::start(|request| {
        let body = String::from_utf8_lossy(&request.body);
        if body.contains("client_secret=") {
            token("token-number-1", 10)
        } else {
            Reply::json(400, &json!({"error": "invalid_request"}))
        }
    })
    .await;
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&server, &id).await;
    call(&proxy).await.result();
    pass(Duration::from_secs(11)).await;
    call(&proxy).await.result();
    let requests = id.requests();
    assert_eq!(requests.len(), 3, "the second time it is known");
    assert!(bearer(&requests[2]).is_empty());
}

#[tokio::test]
async fn tokens_that_an_upstream_echoes_do_not_reach_the_client() {
    let id = token_endpoint(1000).await;
    let server = Spec::legacy(&["echo"])
        .on_call(|request, message| {
            let text = format!("{} after token-number-1 with {SECRET}", bearer(request));
            let result = json!({"content": [{"type": "text", "text": text}]});
            Reply::json(200, &response(message, &result))
        })
        .start()
        .await;
    let proxy = over(&server, &id).await;
    call(&proxy).await.result();
    pass(Duration::from_secs(1001)).await;
    let text = &call(&proxy).await.result()["content"][0]["text"];
    assert_eq!(text, "Bearer [redacted] after [redacted] with [redacted]");
}

#[tokio::test]
async fn the_secret_goes_to_the_token_endpoint_and_nowhere_else() {
    let elsewhere = token_endpoint(1000).await;
    let target = elsewhere.url("/token");
    let id = Upstream::start(move |_| Reply::status(307).header("location", &target)).await;
    let server = Spec::legacy(&["echo"]).start().await;
    let text = call(&over(&server, &id).await).await.error_text();
    assert!(text.contains("it answers 307"), "{text}");
    assert_eq!(elsewhere.requests().len(), 0);
    let metadata = "http://169.254.169.254/token";
    let upstream = with_tokens("a", &server.endpoint(), metadata);
    let text = call(&proxy(vec![upstream]).await).await.error_text();
    assert!(text.contains("169.254.169.254"), "{text}");
    assert_eq!(server.upstream.requests().len(), 0);
}
