//! What is counted: a failure is one, whatever its HTTP status.

use agentkube_testkit::Reply;
use serde_json::json;

use super::kit::{Tested, over, plan, serve, upstream};
use super::server::{Spec, failure};

fn requests(proxy: &Tested, code: &str) -> u64 {
    proxy.counted(&format!(
        "agentkube_requests_total{{kind=\"mcp\",namespace=\"team-a\",name=\"tools\",route=\"mcp\",code=\"{code}\"}}"
    ))
}

fn upstream_requests(proxy: &Tested, outcome: &str) -> u64 {
    proxy.counted(&format!(
        "agentkube_mcp_upstream_requests_total{{namespace=\"team-a\",name=\"tools\",upstream=\"a\",outcome=\"{outcome}\"}}"
    ))
}

#[tokio::test]
async fn errors_under_200_are_counted_by_whose_fault_they_are() {
    let server = Spec::legacy(&["echo", "bad", "cut"])
        .on_call(|_, message| match message["params"]["name"].as_str() {
            Some("bad") => failure(200, message, -32602, "no such argument"),
            Some("cut") => Reply::sse().chunk(": nothing\n\n"),
            _ => Reply::json(200, &super::server::response(message, &json!({}))),
        })
        .start()
        .await;
    let proxy = over(&[&server]).await;
    for name in ["echo", "bad", "cut", "unknown"] {
        proxy.legacy("tools/call", json!({"name": name})).await;
    }
    assert_eq!(requests(&proxy, "2xx"), 1);
    assert_eq!(requests(&proxy, "4xx"), 2, "the upstream's error, and ours");
    assert_eq!(requests(&proxy, "5xx"), 1);
    let outcomes = ["ok", "error", "failed", "cancelled"];
    assert_eq!(
        outcomes.map(|it| upstream_requests(&proxy, it)),
        [1, 1, 1, 0]
    );
}

#[tokio::test]
async fn an_upstream_that_is_down_fails_its_calls() {
    let proxy = serve(plan(vec![upstream("a", "http://127.0.0.1:9/mcp")])).await;
    proxy.legacy("resources/read", json!({"uri": "x:y"})).await;
    assert_eq!((requests(&proxy, "2xx"), requests(&proxy, "5xx")), (0, 1));
    assert_eq!(upstream_requests(&proxy, "failed"), 1);
}
