//! Client keys: when they are handed out, refused and taken back.

use super::*;

#[tokio::test]
async fn a_key_is_handed_out_only_after_the_replica_knows_it() {
    let mut tasks = JoinSet::new();
    let (replica, port) = Replica::start(&mut tasks).await;
    let api = api_with_gateway();
    add_replica(&api);
    add_wired_pod(&api);
    replica.serves(
        &PlanDigest::of(b"x"),
        Some(&PlanDigest::of(b"an earlier table")),
    );
    let fresh = Fresh::on(&api, port).await;
    fresh.gateway().await;
    assert!(api.get(KEY).is_none(), "a first call would meet a 401");
    let known = table(&api);
    assert!(
        String::from_utf8(known.clone())
            .unwrap()
            .contains("apps/worker")
    );
    replica.serves(&PlanDigest::of(b"x"), Some(&PlanDigest::of(&known)));
    fresh.gateway().await;
    let secret = api.get(KEY).unwrap();
    assert_eq!(
        secret["metadata"]["ownerReferences"][0]["uid"],
        json!("worker-uid")
    );
    assert_eq!(
        table(&api),
        known,
        "the key that was promised is the key that was handed out"
    );
    look(&api, port).await;
    assert_eq!(
        table(&api),
        known,
        "a restarted operator reads the hash from the Secret"
    );
}

#[tokio::test]
async fn a_key_comes_at_once_when_no_replica_is_ready() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    look(&api, 1).await;
    assert!(api.get(KEY).is_some());
}

#[tokio::test]
async fn a_pod_that_waits_for_its_key_is_woken_once_when_it_is_there() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    let woken = || {
        let mut writes = api.writes();
        writes.retain(|write| write.contains("/pods/"));
        writes
    };
    look(&api, 1).await;
    assert_eq!(woken(), ["PATCH /api/v1/namespaces/apps/pods/p/status"]);
    look(&api, 1).await;
    assert_eq!(woken(), [""; 0]);
}

#[tokio::test]
async fn a_secret_that_has_the_name_of_a_key_is_never_adopted() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    let theirs = json!({
        "metadata": { "name": KEY.rsplit('/').next().unwrap(), "namespace": "apps" },
        "data": { "api-key": "aS1hbS1ub3QtYS1rZXktb2YtYWdlbnRrdWJl" },
    });
    api.put(KEY, theirs.clone());
    look(&api, 1).await;
    assert_eq!(api.get(KEY).unwrap()["data"], theirs["data"]);
    assert!(
        !String::from_utf8(table(&api))
            .unwrap()
            .contains("apps/worker"),
        "their key is no key"
    );
    assert_eq!(condition(&api, GATEWAY, "ClientsAccepted").1, "KeysIgnored");
}

#[tokio::test]
async fn short_and_shared_client_keys_are_ignored_and_said() {
    let api = api_with_gateway();
    let secret = |name: &str, key: &str| {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(key);
        api.put(
            &format!("/api/v1/namespaces/platform/secrets/{name}"),
            json!({
                "metadata": {
                    "name": name, "namespace": "platform",
                    "labels": { "agentkube.io/client-of": "shared-gateway" },
                },
                "data": { "api-key": data },
            }),
        );
    };
    secret("a", "sixteen-characters-or-more");
    secret("b", "sixteen-characters-or-more");
    secret("c", "short");
    look(&api, 1).await;
    let table: Value = serde_json::from_slice(&table(&api)).unwrap();
    let names: Vec<_> = table["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["a"]);
    let object = api.get(GATEWAY).unwrap();
    let said = object["status"]["conditions"].to_string();
    assert!(
        said.contains("Secret \\\"b\\\"") && said.contains("Secret \\\"c\\\""),
        "{said}"
    );
    assert!(!said.contains("sixteen"), "the key itself is never said");
}

#[tokio::test]
async fn the_keys_of_a_target_that_is_gone_are_taken_back() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    look(&api, 1).await;
    let fresh = Fresh::on(&api, 1).await;
    sweep::once(&fresh.ctx).await.unwrap();
    assert!(api.get(KEY).is_some(), "its target is there");
    api.remove(GATEWAY);
    let fresh = Fresh::on(&api, 1).await;
    sweep::once(&fresh.ctx).await.unwrap();
    assert!(api.get(KEY).is_none());
}

#[tokio::test]
async fn without_client_keys_there_is_no_table_and_no_key() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    look(&api, 1).await;
    let mut open = api.get(GATEWAY).unwrap();
    open["spec"]["auth"]["mode"] = json!("none");
    api.put(GATEWAY, open);
    look(&api, 1).await;
    assert!(api.get(KEY).is_none(), "nobody needs it any more");
}
