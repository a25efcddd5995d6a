//! What upstreams are told about us, and what clients hear of that.

use agentkube_plan::{ProxyUpstream, SecretEntry, UpstreamAuth};
use serde_json::json;

use super::kit::{Tested, bearer, plan, secret, serve_with, upstream};
use super::server::{Spec, ToolServer};
use crate::source::Secrets;

fn entry(key: &str) -> SecretEntry {
    SecretEntry {
        name: "login".to_owned(),
        key: key.to_owned(),
    }
}

fn with_auth(server: &ToolServer, auth: UpstreamAuth) -> ProxyUpstream {
    ProxyUpstream {
        auth,
        ..upstream("a", &server.endpoint())
    }
}

fn basic() -> UpstreamAuth {
    UpstreamAuth::Basic {
        username: entry("username"),
        password: entry("password"),
    }
}

async fn called(server: &ToolServer, auth: UpstreamAuth, secrets: &[(&str, &str)]) -> Tested {
    let mut read = Secrets::new();
    for (key, value) in secrets {
        read.insert(entry(key), *value);
    }
    let proxy = serve_with(plan(vec![with_auth(server, auth)]), read).await;
    proxy.legacy("tools/call", json!({"name": "echo"})).await;
    proxy
}

#[tokio::test]
async fn a_header_of_the_users_choice_goes_with_every_request() {
    let server = Spec::legacy(&["echo"]).start().await;
    let auth = UpstreamAuth::Header {
        header: "X-Api-Key".to_owned(),
        secret: entry("key"),
    };
    called(&server, auth, &[("key", "k-1\n")]).await;
    let requests = server.upstream.requests();
    assert!(requests.len() >= 4);
    for request in requests {
        assert_eq!(request.header("x-api-key"), Some("k-1"));
        assert_eq!(request.header("authorization"), None);
    }
}

#[tokio::test]
async fn user_and_password_go_with_every_request() {
    let server = Spec::legacy(&["echo"]).start().await;
    let login = [("username", "Aladdin"), ("password", "open sesame")];
    called(&server, basic(), &login).await;
    let requests = server.upstream.requests();
    assert!(requests.len() >= 4);
    for request in requests {
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(request.header("authorization"), Some(expected));
    }
}

#[tokio::test]
async fn half_a_login_is_a_missing_one_and_named() {
    let server = Spec::legacy(&["echo"]).start().await;
    let proxy = called(&server, basic(), &[("username", "Aladdin")]).await;
    let answer = proxy.legacy("tools/list", json!({})).await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.error_text(),
        r#"upstream "a": Secret "login", key "password" is missing"#
    );
    assert_eq!(server.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_new_password_is_used_without_a_restart() {
    let server = Spec::legacy(&["echo"]).start().await;
    let login = [("username", "Aladdin"), ("password", "open sesame")];
    let proxy = called(&server, basic(), &login).await;
    let mut secrets = Secrets::new();
    secrets.insert(entry("username"), "Aladdin");
    secrets.insert(entry("password"), "close sesame");
    let same = plan(vec![with_auth(&server, basic())]);
    let clients = super::kit::clients();
    proxy.source.replace(same, &clients, secrets).unwrap();
    proxy.tool_names().await;
    let last = server.got("tools/list").pop().unwrap();
    let expected = "Basic QWxhZGRpbjpjbG9zZSBzZXNhbWU=";
    assert_eq!(last.header("authorization"), Some(expected));
}

#[tokio::test]
async fn a_credential_in_what_an_upstream_says_of_itself_does_not_reach_the_client() {
    let server = Spec::legacy(&["echo"])
        .instructions("send upstream-token with it")
        .capability("upstream-token")
        .start()
        .await;
    let mut secrets = Secrets::new();
    secrets.insert(secret(), "upstream-token");
    let one = plan(vec![bearer(upstream("a", &server.endpoint()))]);
    let proxy = serve_with(one, secrets).await;
    let greeted = proxy
        .legacy("initialize", json!({"protocolVersion": "2025-11-25"}))
        .await;
    let discovered = proxy.modern("server/discover", json!({})).await;
    for answer in [greeted, discovered] {
        assert!(!answer.text.contains("upstream-token"), "{}", answer.text);
        let instructions = &answer.result()["instructions"];
        assert_eq!(instructions, "send [redacted] with it");
    }
}
