//! What peers send that is strange to us: it passes as it is, is ignored, or is refused
//! in words that help.

use agentkube_testkit::Reply;
use serde_json::{Value, json};

use super::kit::{legacy_message, modern_message, modern_request, over, post};
use super::listen::next;
use super::server::{Spec, event, response};

/// A form with more than any revision knows.
const SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","x-order":[1.5,"b"],"properties":{"n":{"type":"string","pattern":"^a\\/b$","x-y":null}},"if":{"required":["n"]}}"#;

fn elicitation(id: Option<u32>) -> String {
    let id = id.map_or_else(String::new, |id| format!(r#""jsonrpc":"2.0","id":{id},"#));
    let params = format!(r#"{{"mode":"form","message":"?","requestedSchema":{SCHEMA}}}"#);
    format!(r#"{{{id}"method":"elicitation/create","params":{params}}}"#)
}

#[tokio::test]
async fn a_form_reaches_a_legacy_client_with_every_keyword_as_it_is() {
    let given = json!({"action": "accept", "content": {"n": "a/b", "x": 1.5}, "y": {"z": null}});
    let legacy = Spec::legacy(&["ask"]).on_call(|_, message| {
        let ask = format!("data: {}\n\n", elicitation(Some(7)));
        let result = event(&response(message, &json!({"content": []})));
        Reply::sse().chunk(ask).chunk(result)
    });
    let modern = Spec::modern(&["ask"]).on_call(|_, message| {
        let params = &message["params"];
        let answers = &params["inputResponses"];
        if answers.is_object() {
            let result = json!({"resultType": "complete", "content": [], "got": answers["q"]});
            return Reply::json(200, &response(message, &result));
        }
        let (id, ask) = (&message["id"], elicitation(None));
        let result = format!(r#"{{"resultType":"input_required","inputRequests":{{"q":{ask}}}}}"#);
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        Reply::text(200, "application/json", text)
    });
    for spec in [legacy, modern] {
        let server = spec.start().await;
        let proxy = over(&[&server]).await;
        let sitting = proxy.open(json!({"elicitation": {}})).await;
        let call = legacy_message("tools/call", &json!({"name": "ask"}));
        let mut body = proxy.send(sitting.post(&call)).await.into_body();
        let question = next(&mut body).await;
        assert_eq!(question["params"]["requestedSchema"].to_string(), SCHEMA);
        let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": given});
        assert_eq!(sitting.say(&answer).await.status, 202);
        let last = next(&mut body).await;
        // What the client gives passes as it is, too.
        let told = match &last["result"]["got"] {
            Value::Null => {
                let mut all = server.upstream.requests().into_iter();
                let told = all.find(|it| it.method == "POST" && it.json()["id"] == 7);
                told.unwrap().json()["result"].clone()
            }
            got => got.clone(),
        };
        assert_eq!(told.to_string(), given.to_string());
    }
}

#[tokio::test]
async fn a_form_reaches_a_modern_client_with_every_keyword_as_it_is() {
    let server = Spec::modern(&["ask"]).on_call(|_, message| {
        let (id, ask) = (&message["id"], elicitation(None));
        let result = format!(r#"{{"resultType":"input_required","inputRequests":{{"q":{ask}}}}}"#);
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        Reply::text(200, "application/json", text)
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
    let asked = proxy
        .modern("tools/call", json!({"name": "ask", "_meta": meta}))
        .await;
    assert!(asked.text.contains(&elicitation(None)), "{}", asked.text);
}

#[tokio::test]
async fn a_modern_request_with_headers_of_sessions_is_served_without_them() {
    for spec in [Spec::modern(&["echo"]), Spec::legacy(&["echo"])] {
        let server = spec.start().await;
        let proxy = over(&[&server]).await;
        let call = modern_message("tools/call", &json!({"name": "echo"}));
        let mut request = modern_request(&call);
        for name in ["mcp-session-id", "last-event-id"] {
            request.headers_mut().insert(name, "stray".parse().unwrap());
        }
        let answer = proxy.exchange(request).await;
        assert_eq!(answer.result()["content"][0]["text"], "echo ran");
        assert!(!answer.headers.contains_key("mcp-session-id"));
        let got = server.got("tools/call").pop().unwrap();
        assert_eq!(got.header("last-event-id"), None);
        assert_ne!(got.header("mcp-session-id"), Some("stray"));
    }
}

/// Nested so deep, in an object that is nested already.
fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[tokio::test]
async fn a_message_of_128_levels_passes_and_one_of_129_is_refused() {
    let server = Spec::legacy(&["deep"]);
    let server = server.on_call(|_, message| {
        // The text is 1, the result 2, its member 3.
        let depth = message["params"]["arguments"]["depth"].as_u64().unwrap();
        let (id, deep) = (&message["id"], nested(usize::try_from(depth).unwrap() - 2));
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"deep":{deep}}}}}"#);
        Reply::text(200, "application/json", text)
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    for (depth, status) in [(128, 200), (129, 400)] {
        let deep = nested(depth - 2);
        let params = format!(r#"{{"deep":{deep}}}"#);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{params}}}"#);
        let answer = proxy.exchange(post().body(body.into()).unwrap()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            let said = answer.error_text();
            assert!(said.contains("deeper than 128 levels"), "{said}");
        }
    }
    let call = json!({"name": "deep", "arguments": {"depth": 129}});
    let answer = proxy.legacy("tools/call", call).await;
    assert_eq!(answer.code(), -32603);
    let said = answer.error_text();
    assert!(
        said.contains("upstream \"a\"") && said.contains("128 levels"),
        "{said}"
    );
}
