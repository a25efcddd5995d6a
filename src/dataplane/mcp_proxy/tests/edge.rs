//! What is answered before a message is looked at.

use agentkube_plan::ClientAuth;
use agentkube_testkit::{Gate, Reply};
use http::Request;
use serde_json::json;

use super::kit::{
    KEY, bearer, legacy_message, over, plan, post, secret, serve, serve_with, upstream,
};
use super::server::{Spec, response};
use crate::source::Secrets;

fn ping() -> String {
    legacy_message("ping", &json!({})).to_string()
}

#[tokio::test]
async fn a_caller_without_a_known_key_is_401_with_a_challenge() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut keyed = plan(vec![upstream("a", &server.endpoint())]);
    keyed.auth = ClientAuth::Apikey;
    let proxy = serve(keyed).await;
    for key in [None, Some("Bearer something-else")] {
        let mut request = post();
        if let Some(key) = key {
            request = request.header("authorization", key);
        }
        let answer = proxy.exchange(request.body(ping().into()).unwrap()).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.code(), -32600);
    }
    let request = post().header("authorization", format!("Bearer {KEY}"));
    assert_eq!(
        proxy
            .exchange(request.body(ping().into()).unwrap())
            .await
            .status,
        200
    );
    let request = post().header("x-api-key", KEY);
    assert_eq!(
        proxy
            .exchange(request.body(ping().into()).unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_clients_own_token_never_reaches_an_upstream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let mut keyed = plan(vec![bearer(upstream("a", &server.endpoint()))]);
    keyed.auth = ClientAuth::Apikey;
    let mut secrets = Secrets::new();
    secrets.insert(secret(), "upstream-token\n");
    let proxy = serve_with(keyed, secrets).await;
    let call = legacy_message("tools/call", &json!({"name": "echo"})).to_string();
    let request = post()
        .header("authorization", format!("Bearer {KEY}"))
        .header("x-api-key", KEY)
        .header("cookie", "c=1");
    proxy
        .exchange(request.body(call.into()).unwrap())
        .await
        .result();
    let requests = server.upstream.requests();
    assert!(requests.len() >= 4);
    for request in requests {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer upstream-token")
        );
        let all = format!(
            "{:?} {}",
            request.headers,
            String::from_utf8_lossy(&request.body)
        );
        assert!(!all.contains(KEY) && !all.contains("cookie"), "{all}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_403() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let request = |host: &str, origin: &str| {
        Request::post("/mcp")
            .header("host", host)
            .header("origin", origin)
            .header("content-type", "application/json")
            .body(ping().into())
            .unwrap()
    };
    let good = "http://localhost:3000";
    assert_eq!(
        proxy
            .exchange(request("tools-mcp.team-a.svc:8080", good))
            .await
            .status,
        200
    );
    assert_eq!(
        proxy.exchange(request("evil.example", good)).await.status,
        403
    );
    assert_eq!(
        proxy
            .exchange(request("localhost", "https://evil.example"))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn every_wrong_request_has_its_status() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let build = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
    };
    for (request, status) in [
        (build("GET", "/mcp").body("".into()), 405),
        (build("DELETE", "/mcp").body("".into()), 405),
        (build("POST", "/other").body("".into()), 404),
        (build("POST", "/mcp").body(ping().into()), 415),
        (post().body("{".into()), 400),
        (post().body("x".repeat(70_000).into()), 413),
        (build("GET", "/livez").body("".into()), 200),
    ] {
        let request = request.unwrap();
        let shown = format!("{} {}", request.method(), request.uri());
        assert_eq!(proxy.exchange(request).await.status, status, "{shown}");
    }
    let mut html = post().body(ping().into()).unwrap();
    html.headers_mut()
        .insert("accept", "text/html".parse().unwrap());
    assert_eq!(proxy.exchange(html).await.status, 406);
    let answer = proxy
        .exchange(post().body("x".repeat(70_000).into()).unwrap())
        .await;
    assert_eq!(answer.code(), -32600);
    assert!(answer.error_text().contains("65536 bytes"), "{answer:?}");
}

#[tokio::test]
async fn a_notification_is_accepted_without_a_body() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let text = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = proxy.exchange(post().body(text.into()).unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
}

#[tokio::test]
async fn calls_beyond_the_limit_are_503_and_others_come_through_later() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Spec::legacy(&["slow"])
        .on_call(move |_, request| {
            let text = response(request, &json!({})).to_string();
            Reply::status(200)
                .header("content-type", "application/json")
                .gate(&held)
                .chunk(text)
        })
        .start()
        .await;
    let mut narrow = plan(vec![upstream("a", &server.endpoint())]);
    narrow.limits.concurrent_calls = 1;
    let proxy = serve(narrow).await;
    // The bound is one of a service; a listener has one service.
    let service = proxy.proxy.service();
    let call = || {
        let body = legacy_message("tools/call", &json!({"name": "slow"})).to_string();
        tower::ServiceExt::oneshot(
            service.clone(),
            post().body(http_body_util::Full::from(body)).unwrap(),
        )
    };
    let second = async {
        gate.reached().await;
        let refused = call().await.unwrap();
        gate.open();
        refused
    };
    let (first, refused) = futures::future::join(call(), second).await;
    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(call().await.unwrap().status(), 200);
}
