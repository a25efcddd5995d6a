//! What is not ours arrives byte for byte.

use agentkube_testkit::Reply;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::kit::{legacy_message, modern_message, modern_request, over, post};
use super::server::Spec;

/// A result as no serialiser would write it.
const RESULT: &str = r#"{ "z" : 1.50, "content":[ {"type":"text","text":"\u00e9\/"} ], "a":12345678901234567890123, "structuredContent":{"b":1e2,"a":-0}, "x-new":[ ] }"#;

/// Answers every call with this result, spelled so.
fn raw(spec: Spec, result: &str) -> Spec {
    let result = result.to_owned();
    spec.on_call(move |_, request| {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{result},"ext":1.0}}"#,
            request["id"]
        );
        Reply::text(200, "application/json", text)
    })
}

#[tokio::test]
async fn a_legacy_result_reaches_a_legacy_client_as_it_was_written() {
    let server = raw(Spec::legacy(&["t"]), RESULT).start().await;
    let answer = over(&[&server])
        .await
        .legacy("tools/call", json!({"name": "t"}))
        .await;
    let expected = format!(r#"{{"jsonrpc":"2.0","id":"client-1","result":{RESULT},"ext":1.0}}"#);
    assert_eq!(answer.text, expected);
}

#[tokio::test]
async fn a_modern_result_only_gets_our_name() {
    let server = raw(Spec::modern(&["t"]), RESULT).start().await;
    let answer = over(&[&server])
        .await
        .modern("tools/call", json!({"name": "t"}))
        .await;
    let start = format!(
        r#"{{"jsonrpc":"2.0","id":"client-1","result":{}"#,
        RESULT.trim_end_matches(" }")
    );
    assert!(answer.text.starts_with(&start), "{}", answer.text);
}

#[tokio::test]
async fn arguments_reach_the_upstream_as_they_were_written() {
    let server = raw(Spec::legacy(&["t"]), "{}").start().await;
    let proxy = over(&[&server]).await;
    let arguments = r#"{"b": 1.0, "a":1E+30 , "\u00e9":[ ]}"#;
    let body = format!(
        r#"{{"x":1,"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments":{arguments},"name":"t","y":2}}}}"#
    );
    proxy
        .exchange(post().body(body.clone().into()).unwrap())
        .await;
    let got = server.got("tools/call").pop().unwrap();
    let got = std::str::from_utf8(&got.body).unwrap().to_owned();
    let id = got
        .split(r#""id":"#)
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(got, body.replace(r#""id":1"#, &format!(r#""id":{id}"#)));
}

#[tokio::test]
async fn a_tool_keeps_every_member_but_its_name() {
    let tools = json!([{
        "name": "t", "title": "T", "icons": [{"src": "x"}], "execution": {"taskSupport": "optional"},
        "inputSchema": {"$schema": "s", "type": "object", "x-mine": 1}, "annotations": {"odd": 1},
        "_meta": {"k": 1}, "outputSchema": {"type": "object"}, "new": null,
    }]);
    let (a, b) = (
        Spec::legacy(&[]).tools(tools.clone()).start().await,
        Spec::legacy(&[]).start().await,
    );
    let listed = over(&[&a, &b])
        .await
        .legacy("tools/list", json!({}))
        .await
        .result();
    let mut expected = tools;
    expected[0]["name"] = "a__t".into();
    assert_eq!(listed["tools"], expected);
    let order = |value: &Value| {
        value[0]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&listed["tools"]), order(&expected));
}

#[tokio::test]
async fn members_of_a_lists_result_survive_when_one_upstream_has_it_all() {
    let server = Spec::legacy(&["t"]).start().await;
    let listed = over(&[&server])
        .await
        .modern("tools/list", json!({}))
        .await
        .result();
    assert_eq!(listed["tools"][0]["name"], "t");
    assert_eq!(listed["resultType"], "complete");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn direct_is_proxied_in_every_pair_of_eras(
        number in "-?[1-9][0-9]{0,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        key in "[a-wyz][a-zA-Z_$-]{0,6}",
        text in "[a-z \\\\\"é\u{1F600}]{0,12}",
        space in "[ \t]{0,2}",
        legacy_client in any::<bool>(),
        legacy_upstream in any::<bool>(),
    ) {
        let text = agentkube_mcp::json::quote(&text);
        let member = format!("{space}\"{key}\"{space}:{space}[{number},{text},{{{space}\"q\":null}}]");
        let result = format!("{{\"content\":[],{member}}}");
        let spec = if legacy_upstream { Spec::legacy(&["t"]) } else { Spec::modern(&["t"]) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let server = raw(spec, &result).start().await;
            let proxy = over(&[&server]).await;
            let params = json!({"name": "t"});
            if legacy_client {
                let body = legacy_message("tools/call", &params).to_string();
                proxy.exchange(post().body(body.into()).unwrap()).await
            } else {
                proxy.exchange(modern_request(&modern_message("tools/call", &params))).await
            }
        });
        prop_assert!(answer.text.contains(&member), "{} lacks {}", answer.text, member);
    }
}
