use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{Demo, Error, loopback};

async fn demo() -> Demo {
    Demo::start(loopback(0), loopback(0)).await.unwrap()
}

async fn post(
    addr: std::net::SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (StatusCode, String) {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{addr}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_string())).unwrap();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const OPENAI_KEY: (&str, &str) = ("authorization", "Bearer sk-demo");
const ANTHROPIC_KEY: (&str, &str) = ("x-api-key", "sk-ant-demo");
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const MCP_TOKEN: (&str, &str) = ("authorization", "Bearer demo");

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]})
}

#[tokio::test]
async fn a_chat_completion_names_the_model_and_counts_tokens() {
    let demo = demo().await;
    let path = "/v1/chat/completions";
    let (status, body) = post(demo.upstream_addr(), path, &[OPENAI_KEY], &hello("gpt-5.1")).await;
    assert_eq!(status, StatusCode::OK);
    let body: Value = serde_json::from_str(&body).unwrap();
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("gpt-5.1"), "{text}");
    assert!(body["usage"]["completion_tokens"].as_u64().unwrap() > 1);
    demo.shutdown().await;
}

#[tokio::test]
async fn a_stream_has_usage_only_when_asked_and_ends_in_done() {
    let demo = demo().await;
    let path = "/v1/chat/completions";
    let mut request = hello("gpt-5.1");
    request["stream"] = json!(true);
    let (_, plain) = post(demo.upstream_addr(), path, &[OPENAI_KEY], &request).await;
    request["stream_options"] = json!({"include_usage": true});
    let (_, counted) = post(demo.upstream_addr(), path, &[OPENAI_KEY], &request).await;
    assert!(plain.ends_with("data: [DONE]\n\n"), "{plain}");
    assert!(!plain.contains("\"usage\""), "{plain}");
    assert!(counted.contains("\"usage\""), "{counted}");
    assert!(counted.matches("\"delta\"").count() > 5, "{counted}");
}

#[tokio::test]
async fn a_response_stream_is_numbered_and_ends_completed() {
    let demo = demo().await;
    let request = json!({"model": "gpt-5.1", "input": "Hello", "stream": true});
    let key = [OPENAI_KEY];
    let (status, body) = post(demo.upstream_addr(), "/v1/responses", &key, &request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("event: response.created\n"), "{body}");
    let (_, last) = body.rsplit_once("\ndata: ").unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["type"], "message");
    let events = body.matches("event: ").count();
    assert_eq!(last["sequence_number"], events - 1);
    demo.shutdown().await;
}

#[tokio::test]
async fn every_text_is_embedded() {
    let demo = demo().await;
    let request = json!({"model": "text-embedding-3-small", "input": ["a", "b"]});
    let key = [OPENAI_KEY];
    let (_, body) = post(demo.upstream_addr(), "/v1/embeddings", &key, &request).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"].as_array().unwrap().len(), 2);
    demo.shutdown().await;
}

#[tokio::test]
async fn a_message_stream_goes_from_start_to_stop() {
    let demo = demo().await;
    let headers = [ANTHROPIC_KEY, ANTHROPIC_VERSION];
    let mut request = hello("claude-opus-4-7");
    request["stream"] = json!(true);
    let (status, body) = post(demo.upstream_addr(), "/v1/messages", &headers, &request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("event: message_start\n"), "{body}");
    assert!(body.contains("\"stop_reason\":\"end_turn\""), "{body}");
    assert!(
        body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{body}"
    );
}

#[tokio::test]
async fn a_client_key_in_place_of_the_providers_is_refused() {
    let demo = demo().await;
    let addr = demo.upstream_addr();
    let key = ("authorization", "Bearer some-client-key");
    let (status, body) = post(addr, "/v1/chat/completions", &[key], &hello("gpt-5.1")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("invalid_api_key"), "{body}");
    let headers = [key, ANTHROPIC_VERSION];
    let (status, body) = post(addr, "/v1/messages", &headers, &hello("claude-opus-4-7")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("authentication_error"), "{body}");
    assert!(!body.contains("some-client-key"), "a key is never repeated");
}

async fn rpc(demo: &Demo, headers: &[(&str, &str)], method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let headers: Vec<_> = [MCP_TOKEN].iter().chain(headers).copied().collect();
    let (status, body) = post(demo.mcp_addr(), "/mcp", &headers, &message).await;
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    answer["status"] = json!(status.as_u16());
    answer
}

#[tokio::test]
async fn a_legacy_client_creates_and_lists_an_issue() {
    let demo = demo().await;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    let answer = rpc(&demo, &[], "initialize", params).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    let create = json!({"name": "create_issue", "arguments": {"title": "It works"}});
    let answer = rpc(&demo, &[], "tools/call", create).await;
    assert_eq!(answer["result"]["isError"], false);
    let answer = rpc(&demo, &[], "tools/call", json!({"name": "list_issues"})).await;
    assert_eq!(
        answer["result"]["content"][0]["text"],
        "#1 It works (0 comments)\n"
    );
    assert_eq!(answer["id"], 7);
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_and_bad_arguments_are_a_result() {
    let demo = demo().await;
    let answer = rpc(&demo, &[], "tools/call", json!({"name": "drop_table"})).await;
    assert_eq!(answer["error"]["code"], -32602);
    let answer = rpc(
        &demo,
        &[],
        "tools/call",
        json!({"name": "echo", "arguments": {}}),
    )
    .await;
    assert_eq!(answer["result"]["isError"], true);
    let comment = json!({"name": "add_comment", "arguments": {"number": 0, "body": "x"}});
    let answer = rpc(&demo, &[], "tools/call", comment).await;
    assert_eq!(
        answer["result"]["content"][0]["text"],
        "there is no issue #0"
    );
}

#[tokio::test]
async fn a_modern_request_needs_agreeing_headers() {
    let demo = demo().await;
    let meta = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "server/discover"),
    ];
    let answer = rpc(&demo, &headers, "server/discover", meta.clone()).await;
    assert_eq!(answer["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(answer["result"]["resultType"], "complete");
    let answer = rpc(&demo, &headers, "tools/list", meta).await;
    assert_eq!(
        (&answer["status"], &answer["error"]["code"]),
        (&json!(400), &json!(-32020))
    );
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let demo = demo().await;
    let taken = demo.upstream_addr();
    let error = Demo::start(taken, loopback(0)).await.unwrap_err();
    let Error::Bind { addr, .. } = &error;
    assert_eq!(*addr, taken);
    assert!(error.to_string().contains(&taken.to_string()));
}
