//! Clients and upstreams of different eras on one endpoint.

use agentkube_testkit::Reply;
use serde_json::json;

use super::kit::{modern_message, modern_request, over, post};
use super::server::{Speaks, Spec, response};
use http_body_util::Full;

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

#[tokio::test]
async fn a_legacy_client_is_greeted_in_its_version_and_gets_a_session() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let answer = proxy
        .legacy("initialize", json!({"protocolVersion": "2025-06-18"}))
        .await;
    let result = answer.result();
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(
        result["capabilities"],
        json!({"tools": {"listChanged": true}}),
        "its own session is its own stream of changes"
    );
    assert_eq!(result["instructions"], "be kind");
    assert_eq!(result["serverInfo"]["name"], "agentkube");
    let id = answer.headers["mcp-session-id"].to_str().unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!id.contains("session-"), "sealed");
    let asked = server.got("initialize").pop().unwrap().json();
    assert_eq!(asked["params"]["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn a_modern_client_reaches_a_legacy_upstream() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let discovered = proxy.modern("server/discover", json!({})).await.result();
    assert_eq!(discovered["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered["_meta"][SERVER_INFO]["name"], "agentkube");
    assert!(discovered["ttlMs"].is_u64() && discovered["cacheScope"].is_string());

    let params = json!({"name": "echo", "_meta": {"traceparent": "00-1"}});
    let result = proxy.modern("tools/call", params).await.result();
    assert_eq!(result["content"][0]["text"], "echo ran");
    assert_eq!(result["resultType"], "complete");

    let call = server.got("tools/call").pop().unwrap();
    assert_eq!(
        call.json()["params"]["_meta"],
        json!({"traceparent": "00-1"})
    );
    assert_eq!(
        call.header("mcp-protocol-version"),
        Some("2025-11-25"),
        "that of this hop"
    );
    assert_eq!(call.header("mcp-method"), None);
    assert_eq!(call.header("mcp-session-id"), Some("session-0"));
}

#[tokio::test]
async fn a_legacy_client_reaches_a_modern_upstream() {
    let server = Spec::modern(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let list = proxy.legacy("tools/list", json!({})).await;
    assert_eq!(list.names("tools", "name"), ["echo"]);
    for member in ["resultType", "ttlMs", "cacheScope", "_meta"] {
        assert!(list.result().get(member).is_none(), "{member} is modern");
    }
    let result = proxy
        .legacy("tools/call", json!({"name": "echo", "arguments": {}}))
        .await;
    assert_eq!(
        result.result(),
        json!({"content": [{"type": "text", "text": "echo ran"}]})
    );
    let call = server.got("tools/call").pop().unwrap();
    assert_eq!(call.header("mcp-name"), Some("echo"));
    assert_eq!(
        call.json()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"],
        json!({})
    );
}

#[tokio::test]
async fn a_modern_upstream_sees_the_clients_capabilities_and_the_unprefixed_name() {
    let (a, b) = (
        Spec::modern(&["écho"]).start().await,
        Spec::modern(&["x"]).start().await,
    );
    let proxy = over(&[&a, &b]).await;
    let capabilities = json!({"elicitation": {}, "x": 1});
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
    let answer = proxy
        .modern("tools/call", json!({"name": "a__écho", "_meta": meta}))
        .await;
    assert_eq!(answer.result()["content"][0]["text"], "écho ran");
    let call = a.got("tools/call").pop().unwrap();
    assert_eq!(call.header("mcp-name"), Some("=?base64?w6ljaG8=?="));
    assert_eq!(
        call.json()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"],
        capabilities
    );
}

#[tokio::test]
async fn an_upstream_of_both_eras_is_spoken_to_in_the_clients() {
    let server = Spec::new(Speaks::Both, &["echo"]).start().await;
    let proxy = over(&[&server]).await;
    proxy
        .modern("tools/call", json!({"name": "echo"}))
        .await
        .result();
    proxy
        .legacy("tools/call", json!({"name": "echo"}))
        .await
        .result();
    let calls = server.got("tools/call");
    assert_eq!(calls[0].header("mcp-session-id"), None);
    assert_eq!(calls[1].header("mcp-session-id"), Some("session-0"));
}

#[tokio::test]
async fn a_request_for_input_and_its_retry_pass_as_they_are() {
    let server = Spec::modern(&["ask"]).on_call(|_, request| {
        let result = match &request["params"]["requestState"] {
            serde_json::Value::Null => json!({
                "resultType": "input_required",
                "inputRequests": {"q": {"method": "elicitation/create", "params": {"message": "?"}}},
                "requestState": "sealed",
            }),
            _ => json!({"resultType": "complete", "content": [], "got": request["params"]["inputResponses"]}),
        };
        Reply::json(200, &response(request, &result))
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
    let first = json!({"name": "ask", "_meta": meta});
    let asked = proxy.modern("tools/call", first).await.result();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["q"]["method"], "elicitation/create");
    let again = json!({"name": "ask", "requestState": asked["requestState"], "inputResponses": {"q": {"action": "accept"}}});
    let done = proxy.modern("tools/call", again).await.result();
    assert_eq!(done["got"], json!({"q": {"action": "accept"}}));
}

#[tokio::test]
async fn tools_that_mirror_arguments_are_called_with_headers_by_legacy_clients_too() {
    let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    let broken = json!({"properties": {"n": {"type": "number", "x-mcp-header": "N"}}});
    let tools = json!([
        {"name": "query", "inputSchema": schema},
        {"name": "broken", "inputSchema": broken},
    ]);
    let server = Spec::modern(&[]).tools(tools).start().await;
    let proxy = over(&[&server]).await;
    assert_eq!(
        proxy.tool_names().await,
        ["query"],
        "a client must not use a broken annotation"
    );
    let params = json!({"name": "query", "arguments": {"region": "eu"}});
    proxy.legacy("tools/call", params).await.result();
    assert_eq!(
        server.got("tools/call")[0].header("mcp-param-region"),
        Some("eu")
    );
}

#[tokio::test]
async fn methods_that_the_modern_era_removed_are_404_in_it() {
    let server = Spec::modern(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let answer = proxy.modern(method, json!({})).await;
        assert_eq!((answer.status, answer.code()), (404, -32601), "{method}");
    }
    assert_eq!(proxy.legacy("ping", json!({})).await.result(), json!({}));
}

#[tokio::test]
async fn the_oldest_clients_may_send_batches_and_no_others() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = over(&[&server]).await;
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},
        {"jsonrpc":"2.0","method":"notifications/initialized"},
        {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}, 7]"#;
    let request = post().body(Full::from(batch)).unwrap();
    let answer = proxy.exchange(request).await;
    let answers: Vec<serde_json::Value> = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0], json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    assert_eq!(answers[1]["result"]["content"][0]["text"], "echo ran");
    assert_eq!(answers[2]["error"]["code"], -32600);

    let request = post().header("mcp-protocol-version", "2025-06-18");
    let answer = proxy
        .exchange(request.body(Full::from(batch)).unwrap())
        .await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
}

#[tokio::test]
async fn an_unknown_method_reaches_the_only_upstream() {
    let server = Spec::legacy(&["echo"]).on_call(|_, request| {
        Reply::json(200, &response(request, &json!({"p": request["params"]})))
    });
    let server = server.start().await;
    let answer = over(&[&server]).await.legacy("x/y", json!({"k": 1})).await;
    assert_eq!(answer.result(), json!({"p": {"k": 1}}));
    let other = Spec::legacy(&["echo"]).start().await;
    let answer = over(&[&server, &other])
        .await
        .legacy("x/y", json!({}))
        .await;
    assert_eq!(
        answer.code(),
        -32601,
        "with several upstreams it has no address"
    );
}

#[tokio::test]
async fn tasks_of_a_shared_session_are_nobodys() {
    let server = Spec::legacy(&["echo"]).capability("tasks").start().await;
    let proxy = over(&[&server]).await;
    let discovered = proxy.modern("server/discover", json!({})).await;
    let told = json!({"tools": {"listChanged": true}});
    assert_eq!(discovered.result()["capabilities"], told);
    assert_eq!(proxy.legacy("tasks/list", json!({})).await.code(), -32601);
    let call = json!({"name": "echo", "task": {"ttl": 1}});
    proxy.legacy("tools/call", call).await.result();
    assert_eq!(
        server.got("tools/call")[0].json()["params"],
        json!({"name": "echo"})
    );
    assert_eq!(server.got("tasks/list").len(), 0);
}

#[tokio::test]
async fn mirrored_arguments_are_compared_before_a_legacy_upstream_is_called() {
    let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    let tools = json!([{"name": "query", "inputSchema": schema}]);
    let server = Spec::legacy(&[]).tools(tools).start().await;
    let proxy = over(&[&server]).await;
    let message = modern_message(
        "tools/call",
        &json!({"name": "query", "arguments": {"region": "eu"}}),
    );
    for (sent, status) in [(None, 400), (Some("us"), 400), (Some("eu"), 200)] {
        let mut request = modern_request(&message);
        if let Some(sent) = sent {
            request
                .headers_mut()
                .insert("mcp-param-region", sent.parse().unwrap());
        }
        let answer = proxy.exchange(request).await;
        assert_eq!(answer.status, status);
        assert!(status == 200 || answer.code() == -32020);
    }
    assert_eq!(server.got("tools/call").len(), 1);
}

#[tokio::test]
async fn a_legacy_upstream_that_wants_a_url_visited_asks_a_modern_client_for_input() {
    let server = Spec::legacy(&["pay"]).on_call(|_, message| {
        let wants =
            json!([{"mode": "url", "elicitationId": "e", "url": "https://a", "message": "m"}]);
        let error = json!({"code": -32042, "message": "first", "data": {"elicitations": wants}});
        Reply::json(
            200,
            &json!({"jsonrpc": "2.0", "id": message["id"], "error": error}),
        )
    });
    let server = server.start().await;
    let proxy = over(&[&server]).await;
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}});
    let able = proxy.modern("tools/call", json!({"name": "pay", "_meta": meta}));
    let result = able.await.result();
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(
        result["inputRequests"]["url-0"]["params"]["url"],
        "https://a"
    );
    let unable = proxy.modern("tools/call", json!({"name": "pay"})).await;
    assert_eq!(unable.code(), -32603, "-32042 is not of its revision");
}

#[tokio::test]
async fn a_tool_of_this_era_does_not_spoil_the_list_of_a_legacy_client() {
    let with = |name: &str, schema: serde_json::Value| json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": schema});
    let object = json!({"type": "object", "properties": {"n": {"type": "number"}}});
    let tools = json!([
        with("a", object.clone()),
        with("b", json!({"type": "array"})),
        with("c", json!({"anyOf": []})),
        with("d", json!(true)),
    ]);
    let server = Spec::modern(&[]).tools(tools.clone()).start().await;
    let proxy = over(&[&server]).await;
    let legacy = proxy.legacy("tools/list", json!({})).await.result();
    assert_eq!(legacy["tools"][0], tools[0]);
    for at in 1..4 {
        let tool = legacy["tools"][at].as_object().unwrap();
        assert_eq!(tool["name"], tools[at]["name"]);
        assert!(!tool.contains_key("outputSchema"), "{tool:?}");
    }
    let modern = proxy.modern("tools/list", json!({})).await.result();
    assert_eq!(modern["tools"], tools);
}
