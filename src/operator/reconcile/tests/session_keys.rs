//! The keys that the sessions of an MCP are sealed with.

use super::*;

#[tokio::test]
async fn the_key_of_sessions_is_made_once_and_rotated_when_it_is_old() {
    let api = FakeApi::default();
    api.put(MCP, testing::mcp());
    Fresh::on(&api, 1).await.mcp().await;
    let path = "/api/v1/namespaces/team-a/secrets/github-tools-mcp-sessions";
    let made = api.get(path).unwrap();
    let current = made["data"]["current"].clone();
    let next = made["data"]["next"].clone();
    assert!(current.is_string() && next.is_string() && next != current);
    assert!(made["data"].get("previous").is_none());
    Fresh::on(&api, 1).await.mcp().await;
    assert_eq!(api.get(path).unwrap(), made);

    let mut old = made;
    old["metadata"]["annotations"]["agentkube.io/session-key-since"] = json!("1000000000");
    api.put(path, old);
    Fresh::on(&api, 1).await.mcp().await;
    let rotated = api.get(path).unwrap();
    assert_eq!(rotated["data"]["previous"], current);
    assert_eq!(rotated["data"]["current"], next, "which every replica has");
    assert!(rotated["data"]["next"].is_string());
    assert_ne!(rotated["data"]["next"], next);
}

#[tokio::test]
async fn a_key_that_nobody_has_yet_is_published_before_it_is_used() {
    let api = FakeApi::default();
    api.put(MCP, testing::mcp());
    Fresh::on(&api, 1).await.mcp().await;
    let path = "/api/v1/namespaces/team-a/secrets/github-tools-mcp-sessions";
    let mut old = api.get(path).unwrap();
    let current = old["data"]["current"].clone();
    old["data"].as_object_mut().unwrap().remove("next");
    old["metadata"]["annotations"]["agentkube.io/session-key-since"] = json!("1000000000");
    api.put(path, old);
    for _ in 0..2 {
        Fresh::on(&api, 1).await.mcp().await;
        let published = api.get(path).unwrap();
        assert_eq!(published["data"]["current"], current);
        assert!(published["data"]["next"].is_string());
    }
}

#[tokio::test]
async fn a_secret_of_that_name_that_is_not_ours_is_no_key() {
    let api = FakeApi::default();
    api.put(MCP, testing::mcp());
    let path = "/api/v1/namespaces/team-a/secrets/github-tools-mcp-sessions";
    let foreign = json!({
        "metadata": { "name": "github-tools-mcp-sessions", "namespace": "team-a" },
        "data": { "current": "eA==" },
    });
    api.put(path, foreign);
    Fresh::on(&api, 1).await.mcp().await;
    assert_eq!(api.get(path).unwrap()["data"]["current"], "eA==");
    let told = condition(&api, MCP, "Programmed");
    assert_eq!(told, ("False".to_owned(), "NameTaken".to_owned()));
}
