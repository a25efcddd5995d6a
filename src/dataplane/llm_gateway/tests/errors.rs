//! Requests that never reach an upstream, answered in the client's dialect.

use std::time::Duration;

use agentkube_plan::{ClientAuth, UnknownModel};
use agentkube_testkit::{Upstream, within};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::kit::{KEY, Rig, chat, messages, openai, plan, post, provider_secrets, secret};
use crate::edge::{Drain, serve};
use crate::source::Secrets;

async fn mk_rig() -> (Upstream, Rig) {
    let upstream = Upstream::by_model().await;
    let rig = Rig::new(plan(vec![openai("primary", &upstream)])).await;
    (upstream, rig)
}

#[tokio::test]
async fn a_missing_or_unknown_key_is_401_in_the_clients_dialect() {
    let (upstream, rig) = mk_rig().await;
    for key in ["", "Bearer wrong-key-0123456789", "Basic abc"] {
        let mut request = chat(&json!({"model": "gpt-5.1"}));
        request
            .headers_mut()
            .insert("authorization", key.parse().unwrap());
        let answer = rig.call(request).await;
        assert_eq!(answer.status, 401, "{key}");
        assert!(answer.json()["error"]["code"].is_string(), "OpenAI's shape");

        let mut request = messages(&json!({"model": "gpt-5.1"}));
        request
            .headers_mut()
            .insert("authorization", key.parse().unwrap());
        let answer = rig.call(request).await;
        assert_eq!(answer.status, 401, "{key}");
        assert_eq!(answer.json()["type"], "error", "Anthropic's shape");
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
        assert!(!answer.text().contains("wrong-key"));
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_key_is_accepted_in_each_of_the_four_headers() {
    let (_upstream, rig) = mk_rig().await;
    for (name, value) in [
        ("authorization", format!("bearer {KEY}")),
        ("x-api-key", KEY.to_owned()),
        ("api-key", KEY.to_owned()),
        ("x-goog-api-key", KEY.to_owned()),
    ] {
        let mut request = chat(&json!({"model": "gpt-5.1"}));
        request.headers_mut().remove("authorization");
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(rig.call(request).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn without_auth_anybody_may_call() {
    let upstream = Upstream::by_model().await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    plan.auth = ClientAuth::None;
    let rig = Rig::new(plan).await;
    let mut request = chat(&json!({"model": "gpt-5.1"}));
    request
        .headers_mut()
        .insert("authorization", "Bearer agentkube".parse().unwrap());
    assert_eq!(rig.call(request).await.status, 200);
    let seen = upstream.request(0).await;
    assert_eq!(seen.header("authorization"), Some("Bearer sk-provider"));
}

#[tokio::test]
async fn an_unknown_model_is_404_with_the_nearest_names() {
    let (_upstream, rig) = mk_rig().await;
    let answer = rig.chat("gpt-5.2").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
    assert!(
        answer.message().contains("`gpt-5.1`"),
        "{}",
        answer.message()
    );
    let answer = rig.call(messages(&json!({"model": "gpt-5.2"}))).await;
    assert_eq!(answer.json()["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn the_default_model_serves_who_names_none_and_if_told_the_unknown() {
    let upstream = Upstream::by_model().await;
    let mut plan = plan(vec![openai("primary", &upstream)]);
    let rig = Rig::new(plan.clone()).await;
    let answer = rig.call(chat(&json!({}))).await;
    assert_eq!(answer.status, 400, "there is no default");

    plan.routing.default_model = Some("fast".to_owned());
    let rig = Rig::new(plan.clone()).await;
    let answer = rig.call(chat(&json!({}))).await;
    assert_eq!(answer.header("x-agentkube-model"), "gpt-5.1");
    assert_eq!(rig.chat("nobody-has-it").await.status, 404);

    plan.routing.unknown_model = UnknownModel::Default;
    let rig = Rig::new(plan).await;
    let answer = rig.chat("nobody-has-it").await;
    assert_eq!(answer.header("x-agentkube-model"), "gpt-5.1");
    assert_eq!(upstream.requests().last().unwrap().model(), "gpt-5.1");
}

#[tokio::test]
async fn malformed_json_is_400_and_quotes_nothing() {
    let (_upstream, rig) = mk_rig().await;
    for body in ["", "{", "[]", "{\"model\": 5}", "{\"secret-prompt\": tru"] {
        let answer = rig.call(post("/v1/chat/completions", body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.text().contains("secret-prompt"));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_at_it_is_not() {
    let (upstream, rig) = mk_rig().await;
    let body = |len: usize| {
        let text = json!({"model": "gpt-5.1", "pad": ""}).to_string();
        let pad = "x".repeat(len - text.len());
        json!({"model": "gpt-5.1", "pad": pad})
    };
    let answer = rig.call(chat(&body(64 * 1024))).await;
    assert_eq!(answer.status, 200);
    let answer = rig.call(chat(&body(64 * 1024 + 1))).await;
    assert_eq!(answer.status, 413);
    let answer = rig.call(messages(&body(64 * 1024 + 1))).await;
    assert_eq!(answer.json()["error"]["type"], "request_too_large");
    assert_eq!(upstream.requests().len(), 1);
}

/// Sends all of a request before it reads anything, as simple clients do.
async fn send_then_read(address: std::net::SocketAddr, key: &str, len: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
         connection: close\r\ncontent-length: {len}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; len]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_refusal_is_not_overtaken_by_a_reset() {
    let (_upstream, rig) = mk_rig().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new(Duration::ZERO);
    let server = tokio::spawn(serve(listener, rig.gateway.service(), drain.clone()));
    const LEN: usize = 12 * 1024 * 1024;
    for (key, status) in [(KEY, "413"), ("wrong", "401")] {
        let answer = within("an answer", send_then_read(address, key, LEN)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    drain.start();
    server.await.unwrap();
}

#[tokio::test]
async fn who_waits_for_100_is_refused_without_being_asked_for_the_body() {
    let (_upstream, rig) = mk_rig().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new(Duration::ZERO);
    let server = tokio::spawn(serve(listener, rig.gateway.service(), drain.clone()));
    for (key, status) in [(KEY, "413"), ("wrong", "401")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
             expect: 100-continue\r\ncontent-length: 1000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // To its end: a connection with a body that never comes is of no use.
        within("an answer", stream.read_to_string(&mut answer))
            .await
            .unwrap();
        let wanted = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&wanted), "{answer}");
    }
    drain.start();
    server.await.unwrap();
}

#[tokio::test]
async fn compressed_bodies_are_415() {
    let (_upstream, rig) = mk_rig().await;
    let mut request = chat(&json!({"model": "gpt-5.1"}));
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(rig.call(request).await.status, 415);
}

#[tokio::test]
async fn wrong_methods_and_paths_are_405_and_404() {
    let (_upstream, rig) = mk_rig().await;
    let mut request = chat(&json!({}));
    *request.method_mut() = Method::GET;
    let answer = rig.call(request).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "POST");
    let answer = rig.call(post("/chat/completions", "{}")).await;
    assert_eq!(answer.status, 404);
    assert!(answer.message().contains("/v1/chat/completions"));
}

#[tokio::test]
async fn a_missing_secret_is_503_that_names_secret_and_key() {
    let upstream = Upstream::by_model().await;
    let plan = plan(vec![openai("primary", &upstream)]);
    let rig = Rig::with_secrets(plan, Secrets::new()).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.status, 503);
    let message = answer.message();
    assert!(
        message.contains("Secret \"provider\", key \"api-key\""),
        "{message}"
    );
    assert!(upstream.requests().is_empty());
    let report = rig.gateway.status().digest().unwrap();
    assert!(!report.upstreams[0].credentials);
}

#[tokio::test]
async fn a_missing_secret_does_not_keep_others_from_serving() {
    let first = Upstream::by_model().await;
    let second = Upstream::by_model().await;
    let mut lacking = openai("lacking", &first);
    lacking.credentials = agentkube_plan::Credentials::ApiKey {
        secret: secret("absent"),
    };
    let mut backup = openai("backup", &second);
    backup.priority = 2;
    let rig = Rig::with_secrets(plan(vec![lacking, backup]), provider_secrets()).await;
    let answer = rig.chat("gpt-5.1").await;
    assert_eq!(answer.header("x-agentkube-upstream"), "backup");
    assert_eq!(answer.header("x-agentkube-attempts"), "1");
}

#[tokio::test]
async fn models_are_listed_in_both_shapes() {
    let (_upstream, rig) = mk_rig().await;
    let get = |path: &str| {
        let request = Request::get(path).header("x-api-key", KEY);
        request.body(Full::default()).unwrap()
    };
    let list = rig.call(get("/v1/models")).await.json();
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert_eq!(ids, ["gpt-5.1", "fast"]);
    assert_eq!(list["data"][0]["owned_by"], "primary");

    let mut request = get("/v1/models");
    request
        .headers_mut()
        .insert("anthropic-version", "2023-06-01".parse().unwrap());
    let list = rig.call(request).await.json();
    assert_eq!(list["data"][1]["type"], "model");
    assert_eq!(list["has_more"], false);

    let one = rig.call(get("/v1/models/fast")).await.json();
    assert_eq!(one["id"], "fast");
    assert_eq!(rig.call(get("/v1/models/fats")).await.status, 404);
    let anonymous = Request::get("/v1/models").body(Full::default()).unwrap();
    assert_eq!(rig.call(anonymous).await.status, 401);
}

#[tokio::test]
async fn livez_needs_no_key() {
    let (_upstream, rig) = mk_rig().await;
    let request = Request::get("/livez").body(Full::default()).unwrap();
    let answer = rig.call(request).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "ok\n"));
}
