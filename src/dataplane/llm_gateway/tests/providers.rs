//! Azure and Vertex: their addresses, their bodies and what proves who pays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agentkube_plan::{Credentials, GatewayUpstream, Provider, SecretEntry};
use agentkube_testkit::{Reply, Request, Upstream, eventually};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::kit::{PROVIDER_KEY, Rig, chat, clients, messages, mk_upstream, plan, provider_secrets};
use crate::edge::Drain;

async fn azure(version: Option<&str>) -> (Upstream, Rig) {
    let provider = Upstream::by_model().await;
    let path = if version.is_some() {
        "/openai"
    } else {
        "/openai/v1"
    };
    let upstream = GatewayUpstream {
        api_version: version.map(str::to_owned),
        model_names: [("gpt-5.1".to_owned(), "our deployment".to_owned())].into(),
        ..mk_upstream("azure", Provider::AzureOpenai, provider.url(path))
    };
    let rig = Rig::new(plan(vec![upstream])).await;
    (provider, rig)
}

#[tokio::test]
async fn azure_takes_its_key_in_a_header_of_its_own() {
    let (provider, rig) = azure(None).await;
    rig.chat("gpt-5.1").await;
    let seen = provider.requests();
    assert_eq!(seen[0].path, "/openai/v1/chat/completions");
    assert_eq!(seen[0].header("api-key"), Some(PROVIDER_KEY));
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(seen[0].model(), "our deployment");
}

#[tokio::test]
async fn azures_legacy_api_has_the_deployment_in_its_path() {
    let (provider, rig) = azure(Some("2024-10-21")).await;
    rig.call(chat(&json!({"model": "gpt-5.1"}))).await;
    let path = "/openai/deployments/our%20deployment/chat/completions?api-version=2024-10-21";
    assert_eq!(provider.requests()[0].path, path);
}

/// A service account's key file, and what verifies its signatures.
fn key_file(token_uri: &str) -> (String, DecodingKey) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let pem = STANDARD.encode(private.as_ref());
    let file = json!({
        "type": "service_account",
        "client_email": "agents@project.iam.gserviceaccount.com",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"),
        "private_key_id": "key-1",
        "token_uri": token_uri,
    });
    let public = DecodingKey::from_rsa_der(pair.public_key().as_ref());
    (file.to_string(), public)
}

fn entry() -> SecretEntry {
    SecretEntry {
        name: "google".to_owned(),
        key: "key.json".to_owned(),
    }
}

fn vertex_upstream(provider: &Upstream) -> GatewayUpstream {
    let base = provider.url("/v1/projects/p/locations/global");
    GatewayUpstream {
        credentials: Credentials::GoogleKey { secret: entry() },
        models: vec!["claude-sonnet-4-6".into()],
        model_names: [(
            "claude-sonnet-4-6".to_owned(),
            "claude-sonnet-4-6@1".to_owned(),
        )]
        .into(),
        ..mk_upstream("vertex", Provider::Vertex, base)
    }
}

async fn vertex(provider: &Upstream, file: String) -> Rig {
    let mut secrets = provider_secrets();
    secrets.insert(entry(), file);
    Rig::with_secrets(plan(vec![vertex_upstream(provider)]), secrets).await
}

/// A token server that takes an assertion only as Google would.
async fn token_server() -> (Upstream, String) {
    // The key file names the server, and the server knows the key.
    let keys: std::sync::Arc<std::sync::OnceLock<(DecodingKey, String)>> =
        std::sync::Arc::default();
    let known = std::sync::Arc::clone(&keys);
    let given = AtomicUsize::new(0);
    let server = Upstream::start(move |request| {
        let (key, audience) = known.get().unwrap();
        let form = String::from_utf8(request.body.to_vec()).unwrap();
        let (grant, assertion) = form.split_once("&assertion=").unwrap();
        assert_eq!(
            grant,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        );
        let mut wanted = Validation::new(Algorithm::RS256);
        wanted.set_audience(&[audience]);
        wanted.set_issuer(&["agents@project.iam.gserviceaccount.com"]);
        match jsonwebtoken::decode::<Value>(assertion, key, &wanted) {
            Ok(read) => {
                assert_eq!(read.header.kid.as_deref(), Some("key-1"));
                assert_eq!(
                    read.claims["scope"],
                    "https://www.googleapis.com/auth/cloud-platform"
                );
            }
            Err(_) => return Reply::json(400, &json!({"error": "invalid_grant"})),
        }
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        let token = format!("token-{number}");
        Reply::json(
            200,
            &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}),
        )
    })
    .await;
    let url = server.url("/token");
    let (file, key) = key_file(&url);
    assert!(keys.set((key, url)).is_ok());
    (server, file)
}

fn claude(takes: fn(&str) -> bool) -> impl Fn(&Request) -> Reply + Send + Sync {
    move |request| {
        let token = request.header("authorization").unwrap_or_default();
        if !takes(token) {
            return Reply::json(
                401,
                &json!({"error": {"code": 401, "status": "UNAUTHENTICATED"}}),
            );
        }
        Reply::json(
            200,
            &json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
                "content": [{"type": "text", "text": "Hello"}],
                "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 8, "output_tokens": 3},
            }),
        )
    }
}

fn hello() -> Value {
    let messages = json!([{"role": "user", "content": "Hello"}]);
    json!({"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": messages})
}

#[tokio::test]
async fn claude_on_vertex_is_asked_with_a_token_for_a_signed_assertion() {
    let (tokens, file) = token_server().await;
    let provider = Upstream::start(claude(|token| token == "Bearer token-1")).await;
    let rig = vertex(&provider, file).await;
    let body = hello();
    for request in [messages(&body), chat(&body), chat(&body)] {
        let answer = rig.call(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(tokens.requests().len(), 1, "one token serves all");
    for seen in provider.requests() {
        let path = "/v1/projects/p/locations/global/publishers/anthropic/models/\
                    claude-sonnet-4-6%401:rawPredict";
        assert_eq!(seen.path, path);
        let body = seen.json();
        assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
        assert_eq!(body.get("model"), None);
        assert_eq!(body["max_tokens"], 9);
    }
}

#[tokio::test]
async fn vertex_is_told_of_no_feature_that_it_does_not_know() {
    let provider = Upstream::start(claude(|_| true)).await;
    let spec = GatewayUpstream {
        credentials: Credentials::None,
        ..vertex_upstream(&provider)
    };
    let rig = Rig::new(plan(vec![spec])).await;
    let as_claude_code = |mut request: http::Request<_>| {
        // What a client adds that takes the gateway for Anthropic.
        let betas = "claude-code-20250219,interleaved-thinking-2025-05-14,\
                     prompt-caching-scope-2026-01-05,advanced-tool-use-2025-11-20";
        let betas = http::HeaderValue::from_static(betas);
        request.headers_mut().insert("anthropic-beta", betas);
        request
    };
    let answer = rig.call(as_claude_code(messages(&hello()))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let counted = super::kit::post("/v1/messages/count_tokens", hello().to_string());
    rig.call(as_claude_code(counted)).await;
    let seen = provider.requests();
    assert_eq!(
        seen[0].header("anthropic-beta"),
        Some("interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19")
    );
    assert!(seen[1].path.ends_with("/count-tokens:rawPredict"));
    assert_eq!(seen[1].header("anthropic-beta"), None);
}

#[tokio::test]
async fn a_token_outlives_a_new_plan_and_not_a_new_secret() {
    let (tokens, file) = token_server().await;
    let provider = Upstream::start(claude(|_| true)).await;
    let rig = vertex(&provider, file.clone()).await;
    let drain = Drain::new(Duration::from_secs(5));
    let following = tokio::spawn(rig.gateway.clone().follow(drain.clone()));
    for (secret, models, asked) in [
        (file.clone(), "claude-m-*", 1),
        (file.clone() + " ", "claude-n-*", 2),
    ] {
        rig.call(messages(&hello())).await;
        let mut upstream = vertex_upstream(&provider);
        upstream.models.push(models.into());
        let mut secrets = provider_secrets();
        secrets.insert(entry(), secret.as_str());
        let source = &rig.source;
        source
            .replace(plan(vec![upstream]), &clients(), secrets)
            .unwrap();
        let new = json!({"model": models.replace('*', "1"), "max_tokens": 9, "messages": []});
        eventually("the new plan is served", async || {
            (rig.call(messages(&new)).await.status == 200).then_some(())
        })
        .await;
        assert_eq!(tokens.requests().len(), asked, "{models}");
    }
    drain.start();
    following.await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (tokens, file) = token_server().await;
    let provider = Upstream::start(claude(|token| token == "Bearer token-2")).await;
    let rig = vertex(&provider, file).await;
    let answer = rig.call(messages(&hello())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(tokens.requests().len(), 2);
}

#[tokio::test]
async fn a_provider_that_refuses_every_token_is_a_502_that_names_the_secret() {
    let (tokens, file) = token_server().await;
    let provider = Upstream::start(claude(|_| false)).await;
    let rig = vertex(&provider, file).await;
    for _ in 0..2 {
        let answer = rig.call(messages(&hello())).await;
        assert_eq!(answer.status, 502);
        assert!(
            answer.message().contains("Secret \"google\""),
            "{}",
            answer.message()
        );
    }
    assert_eq!(tokens.requests().len(), 2, "more tokens would not help");
}

#[tokio::test]
async fn a_token_server_that_refuses_is_named_and_its_words_are_not_repeated() {
    let tokens = Upstream::start(|_| Reply::json(400, &json!({"error": "s3cr3t"}))).await;
    let (file, _) = key_file(&tokens.url("/token"));
    let provider = Upstream::start(claude(|_| true)).await;
    let rig = vertex(&provider, file).await;
    let answer = rig.call(messages(&hello())).await;
    assert_eq!(answer.status, 502);
    let message = answer.message();
    assert!(
        message.contains("no token from 127.0.0.1: it answers 400"),
        "{message}"
    );
    assert!(!message.contains("s3cr3t"));
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn a_key_file_that_sends_its_assertions_elsewhere_is_not_used() {
    let provider = Upstream::start(claude(|_| true)).await;
    let (file, _) = key_file("https://evil.example/token");
    let rig = vertex(&provider, file).await;
    let answer = rig.call(messages(&hello())).await;
    assert_eq!(answer.status, 503);
    let message = answer.message();
    assert!(
        message.contains("has a token_uri that is not Google's"),
        "{message}"
    );
}

#[tokio::test]
async fn the_model_whose_tokens_vertex_counts_is_in_the_body() {
    let (_tokens, file) = token_server().await;
    let provider = Upstream::start(|_| Reply::json(200, &json!({"input_tokens": 5}))).await;
    let rig = vertex(&provider, file).await;
    let mut request = messages(&hello());
    *request.uri_mut() = "/v1/messages/count_tokens".parse().unwrap();
    let answer = rig.call(request).await;
    assert_eq!(answer.json()["input_tokens"], 5);
    let seen = provider.request(0).await;
    assert!(
        seen.path.ends_with("/models/count-tokens:rawPredict"),
        "{}",
        seen.path
    );
    let body = seen.json();
    assert_eq!(body["model"], "claude-sonnet-4-6@1");
    assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
}
