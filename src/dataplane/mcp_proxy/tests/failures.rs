//! Upstreams in trouble.

use std::time::Duration;

use agentkube_testkit::{Reply, Upstream, eventually};
use serde_json::json;

use super::kit::{bearer, over, plan, secret, serve, serve_with, upstream};
use super::server::{Spec, event, failure, response};
use crate::source::Secrets;

#[tokio::test]
async fn a_missing_secret_hides_only_its_upstream() {
    let (a, b) = (
        Spec::legacy(&["x"]).start().await,
        Spec::legacy(&["y"]).start().await,
    );
    let both = plan(vec![
        bearer(upstream("a", &a.endpoint())),
        upstream("b", &b.endpoint()),
    ]);
    let proxy = serve(both).await;
    assert_eq!(proxy.tool_names().await, ["b__y"]);
    assert_eq!(
        a.upstream.requests().len(),
        0,
        "never called without its credential"
    );
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    assert!(!rows[0].credentials && rows[1].credentials);
    assert_eq!(
        rows[0].message.as_deref(),
        Some(r#"Secret "pat", key "token" is missing"#)
    );
}

#[tokio::test]
async fn a_missing_secret_of_the_only_upstream_is_503_and_named() {
    let server = Spec::legacy(&["x"]).start().await;
    let proxy = serve(plan(vec![bearer(upstream("a", &server.endpoint()))])).await;
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/read", json!({"uri": "u"})),
    ] {
        let answer = proxy.legacy(method, params).await;
        assert_eq!(answer.status, 503);
        assert!(
            answer.error_text().contains(r#"Secret "pat", key "token""#),
            "{answer:?}"
        );
    }
    let mut secrets = Secrets::new();
    secrets.insert(secret(), "upstream-token");
    let same = plan(vec![bearer(upstream("a", &server.endpoint()))]);
    proxy
        .source
        .replace(same, &super::kit::clients(), secrets)
        .unwrap();
    assert_eq!(
        proxy.tool_names().await,
        ["x"],
        "it works once the Secret is there"
    );
}

#[tokio::test]
async fn a_credential_that_an_upstream_echoes_does_not_reach_the_client() {
    const TOKEN: &str = "tok\"en-with-quote";
    let answers = [
        |request: &serde_json::Value| {
            Reply::json(
                200,
                &response(
                    request,
                    &json!({"content": [{"text": format!("<{TOKEN}>")}]}),
                ),
            )
        },
        |request: &serde_json::Value| failure(200, request, -32603, &format!("bad {TOKEN}")),
        |request: &serde_json::Value| {
            let params = json!({"level": "info", "data": TOKEN});
            let log =
                json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params});
            Reply::sse()
                .chunk(event(&log))
                .chunk(event(&response(request, &json!({}))))
        },
    ];
    for answer in answers {
        let server = Spec::legacy(&["leak"])
            .on_call(move |_, request| answer(request))
            .start()
            .await;
        let mut secrets = Secrets::new();
        secrets.insert(secret(), TOKEN);
        let one = plan(vec![bearer(upstream("a", &server.endpoint()))]);
        let answer = serve_with(one, secrets)
            .await
            .legacy("tools/call", json!({"name": "leak"}))
            .await;
        assert!(!answer.text.contains("en-with-quote"), "{}", answer.text);
        assert!(answer.text.contains("[redacted]"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_credential_in_a_tools_description_does_not_reach_the_client() {
    let tools = json!([{"name": "t", "description": "use upstream-token", "inputSchema": {}}]);
    let server = Spec::legacy(&[]).tools(tools).start().await;
    let mut secrets = Secrets::new();
    secrets.insert(secret(), "upstream-token");
    let one = plan(vec![bearer(upstream("a", &server.endpoint()))]);
    let listed = serve_with(one, secrets)
        .await
        .legacy("tools/list", json!({}))
        .await
        .result();
    assert_eq!(listed["tools"][0]["description"], "use [redacted]");
}

#[tokio::test]
async fn an_upstream_that_refuses_us_is_reported_and_not_taken_for_down() {
    let server = Upstream::start(|_| Reply::status(401)).await;
    let proxy = serve(plan(vec![upstream("a", &server.url("/mcp"))])).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(
        answer
            .error_text()
            .contains("refuses our credentials with 401"),
        "{answer:?}"
    );
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    assert_eq!(rows[0].reachable, Some(false));
}

#[tokio::test]
async fn a_silent_upstream_is_given_up_and_told_so() {
    let server = Spec::legacy(&["slow"])
        .on_call(|_, _| Reply::sse().head().stall())
        .start()
        .await;
    let mut one = upstream("a", &server.endpoint());
    one.timeouts.idle = Duration::from_millis(300);
    let proxy = serve(plan(vec![one])).await;
    let answer = proxy.legacy("tools/call", json!({"name": "slow"})).await;
    assert!(
        answer.error_text().contains("nothing came for 300ms"),
        "{answer:?}"
    );
    eventually("a cancellation", async || {
        server.got("notifications/cancelled").pop()
    })
    .await;
}

#[tokio::test]
async fn repeated_failures_open_the_breaker_and_no_further_call_is_made() {
    let server = Upstream::start(|_| Reply::status(503)).await;
    let mut one = upstream("a", &server.url("/mcp"));
    one.breaker.failures = 2;
    let proxy = serve(plan(vec![one])).await;
    for _ in 0..2 {
        let answer = proxy.legacy("tools/list", json!({})).await;
        assert!(answer.error_text().contains("answers 503"), "{answer:?}");
    }
    let before = server.requests().len();
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert!(answer.error_text().contains("left alone"), "{answer:?}");
    assert_eq!(server.requests().len(), before);
}

#[tokio::test]
async fn an_upstream_that_was_upgraded_is_asked_for_its_era_again() {
    let server = Spec::legacy(&["echo"]).start().await;
    let addr = server.upstream.addr();
    let proxy = over(&[&server]).await;
    proxy
        .legacy("tools/call", json!({"name": "echo"}))
        .await
        .result();
    server.upstream.stop().await;
    assert_eq!(
        proxy
            .legacy("tools/call", json!({"name": "echo"}))
            .await
            .code(),
        -32603
    );
    let modern = Upstream::bind(addr, std::sync::Arc::default(), |request| {
        let message = request.json();
        let result = match message["method"].as_str().unwrap() {
            "server/discover" => json!({
                "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            }),
            "initialize" => return failure(400, &message, -32022, "modern only"),
            _ => json!({"resultType": "complete", "content": [], "new": true}),
        };
        Reply::json(200, &response(&message, &result))
    })
    .await
    .unwrap();
    let answer = proxy.legacy("tools/call", json!({"name": "echo"})).await;
    assert_eq!(answer.result()["new"], true);
    drop(modern);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_an_error() {
    let server = Spec::legacy(&["big"])
        .on_call(|_, request| {
            Reply::json(
                200,
                &response(request, &json!({"content": "x".repeat(70_000)})),
            )
        })
        .start()
        .await;
    let answer = over(&[&server])
        .await
        .legacy("tools/call", json!({"name": "big"}))
        .await;
    assert!(
        answer.error_text().contains("larger than 65536 bytes"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn one_bad_answer_does_not_condemn_the_upstream() {
    let server = Spec::legacy(&["odd"])
        .on_call(|_, _| Reply::text(400, "text/plain", "JSON RPC not handled: unsupported"))
        .start()
        .await;
    let proxy = over(&[&server]).await;
    proxy.tool_names().await;
    assert_eq!(proxy.legacy("x/y", json!({})).await.code(), -32601);
    let rows = proxy.proxy.status().digest().unwrap().upstreams;
    assert_eq!(
        (rows[0].reachable, rows[0].message.as_deref()),
        (Some(true), None)
    );
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_an_error() {
    for body in ["<html>", "[]", r#"{"jsonrpc":"2.0","id":1}"#, ""] {
        let server = Spec::legacy(&["odd"])
            .on_call(move |_, _| Reply::text(200, "application/json", body))
            .start()
            .await;
        let answer = over(&[&server])
            .await
            .legacy("tools/call", json!({"name": "odd"}))
            .await;
        assert!(
            answer.error_text().contains("no MCP message"),
            "{body}: {answer:?}"
        );
    }
}
