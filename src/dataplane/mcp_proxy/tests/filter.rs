//! Tools that a filter hides do not exist.

use std::time::Duration;

use agentkube_plan::{NamePrefix, ToolFilter};
use serde_json::json;

use super::kit::{plan, serve, upstream};
use super::server::{Spec, tools};

fn allow(patterns: &[&str]) -> ToolFilter {
    ToolFilter::Allow(patterns.iter().map(|text| (*text).to_owned()).collect())
}

#[tokio::test]
async fn a_hidden_tool_is_answered_like_an_absent_one_to_the_byte() {
    for server in [
        Spec::legacy(&["open", "shut"]),
        Spec::modern(&["open", "shut"]),
    ] {
        let server = server.start().await;
        let mut only = upstream("a", &server.endpoint());
        only.tools = vec![allow(&["open", "gone*"])];
        let proxy = serve(plan(vec![only])).await;
        assert_eq!(proxy.tool_names().await, ["open"]);
        let hidden = proxy.legacy("tools/call", json!({"name": "shut"})).await;
        let absent = proxy.legacy("tools/call", json!({"name": "nope"})).await;
        assert_eq!(hidden.text, absent.text.replace("nope", "shut"));
        assert_eq!((hidden.status, hidden.code()), (absent.status, -32602));
        assert_eq!(hidden.headers, absent.headers);
        let hidden = proxy.modern("tools/call", json!({"name": "shut"})).await;
        let absent = proxy.modern("tools/call", json!({"name": "nope"})).await;
        assert_eq!(hidden.text, absent.text.replace("nope", "shut"));
        assert_eq!(
            server.got("tools/call").len(),
            0,
            "nothing reached the upstream"
        );
    }
}

#[tokio::test]
async fn every_filter_must_let_a_tool_through() {
    let server = Spec::legacy(&["get_a", "get_b", "put_a"]).start().await;
    let mut only = upstream("a", &server.endpoint());
    only.tools = vec![allow(&["get_*"]), ToolFilter::Deny(vec!["*_b".to_owned()])];
    assert_eq!(serve(plan(vec![only])).await.tool_names().await, ["get_a"]);
}

#[tokio::test]
async fn patterns_that_match_nothing_are_reported() {
    let server = Spec::legacy(&["create", "list_all", "hidden"])
        .start()
        .await;
    let mut only = upstream("a", &server.endpoint());
    only.tools = vec![allow(&["create", "creat", "list_*", "drop_*"])];
    let proxy = serve(plan(vec![only])).await;
    proxy.tool_names().await;
    let report = proxy.proxy.status().digest().unwrap();
    let row = &report.upstreams[0];
    assert_eq!(row.unmatched_patterns, ["creat", "drop_*"]);
    assert_eq!(
        (row.tools, row.reachable, row.message.as_deref()),
        (Some(2), Some(true), None)
    );
}

#[tokio::test]
async fn the_same_tool_under_two_spellings_is_no_way_past_the_filter() {
    let server = Spec::legacy(&["open", "shut"]).start().await;
    let mut only = upstream("a", &server.endpoint());
    only.tools = vec![allow(&["open"])];
    let proxy = serve(plan(vec![only])).await;
    for params in [
        r#"{"name":"open","name":"shut"}"#,
        r#"{"name":"open","Name":"shut"}"#,
        r#"{"name":"open","n\u0061me":"shut"}"#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let request = super::kit::post().body(body.into()).unwrap();
        let answer = proxy.exchange(request).await;
        assert_eq!((answer.status, answer.code()), (400, -32602), "{params}");
    }
    assert_eq!(server.got("tools/call").len(), 0);
}

#[tokio::test]
async fn a_tool_that_was_added_since_the_last_list_can_be_called_unless_a_filter_hides_it() {
    let server = Spec::legacy(&["early"]).start().await;
    let mut only = upstream("a", &server.endpoint());
    only.tools = vec![allow(&["early", "late"])];
    let proxy = serve(plan(vec![only])).await;
    proxy.tool_names().await;
    server.add("late");
    server.add("other");
    // A list that was read a moment ago is not read again.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let hidden = proxy.legacy("tools/call", json!({"name": "other"})).await;
    assert_eq!(hidden.code(), -32602);
    proxy
        .legacy("tools/call", json!({"name": "late"}))
        .await
        .result();
}

#[tokio::test]
async fn of_an_upstream_that_is_down_nobody_learns_what_it_hides() {
    let server = Spec::legacy(&["open", "shut"]).start().await;
    let mut only = upstream("a", &server.endpoint());
    only.tools = vec![allow(&["open"])];
    let proxy = serve(plan(vec![only])).await;
    server.upstream.stop().await;
    let mut texts = Vec::new();
    for name in ["open", "shut", "nope"] {
        let answer = proxy.legacy("tools/call", json!({"name": name})).await;
        assert!(
            answer
                .error_text()
                .starts_with("upstream \"a\": cannot connect"),
            "{answer:?}"
        );
        texts.push(answer.text);
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[tokio::test]
async fn long_names_fit_the_budget_and_lead_back() {
    let long = "x".repeat(90);
    let server = Spec::legacy(&[]).tools(tools(&[&long])).start().await;
    let mut one = plan(vec![upstream("server", &server.endpoint())]);
    one.tool_names.prefix = NamePrefix::Always;
    let proxy = serve(one).await;
    let names = proxy.tool_names().await;
    assert_eq!(names[0].len(), 64);
    assert!(names[0].starts_with("server__xxx"));
    let answer = proxy.legacy("tools/call", json!({"name": names[0]})).await;
    assert_eq!(answer.result()["content"][0]["text"], format!("{long} ran"));
}
