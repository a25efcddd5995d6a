//! `auth.mode: serviceAccount`: what the replicas are given to verify tokens with.

use super::*;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/openid/v1/jwks";

fn api_with_tokens() -> FakeApi {
    let api = FakeApi::default();
    add_wired_pod(&api);
    let mut gateway = testing::gateway();
    gateway["spec"]["auth"] = json!({ "mode": "serviceAccount" });
    gateway["spec"]["allowedNamespaces"] = json!({
        "from": "Selector", "selector": { "matchLabels": { "tier": "gold" } },
    });
    api.put(GATEWAY, gateway);
    api.put(
        DISCOVERY,
        json!({ "issuer": "https://cluster", "jwks_uri": "https://elsewhere" }),
    );
    api.put(
        JWKS,
        json!({ "keys": [
            { "use": "sig", "kty": "RSA", "kid": "b", "alg": "RS256", "n": "AQAB", "e": "AQAB" },
            { "kty": "OKP", "kid": "c", "crv": "Ed25519", "x": "AA" },
            { "use": "sig", "kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA" },
        ] }),
    );
    for (name, labels) in [("apps", json!({ "tier": "gold" })), ("other", json!({}))] {
        let object = json!({ "metadata": { "name": name, "labels": labels } });
        api.put(&format!("/api/v1/namespaces/{name}"), object);
    }
    api
}

#[tokio::test]
async fn the_replicas_get_the_clusters_keys_and_the_namespaces_that_are_admitted() {
    let api = api_with_tokens();
    look(&api, 1).await;
    let trust: Value = serde_json::from_slice(&table(&api)).unwrap();
    assert_eq!(
        trust,
        json!({
            "clients": [],
            "tokens": {
                "issuer": "https://cluster",
                "audience": "llmgateway.agentkube.io/platform/shared-gateway",
                "namespaces": { "only": ["apps", "platform"] },
                "keys": [
                    { "kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA" },
                    { "kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB" },
                ],
            },
        })
    );
    assert!(api.get(KEY).is_none(), "nobody needs a key");
    let deployment = api.get(DEPLOYMENT).unwrap().to_string();
    assert!(
        deployment.contains("shared-gateway-llm-clients"),
        "{deployment}"
    );
    api.writes();
    look(&api, 1).await;
    assert_eq!(api.writes(), [""; 0]);
}

#[tokio::test]
async fn keys_that_were_minted_before_are_taken_back() {
    let api = api_with_gateway();
    add_wired_pod(&api);
    look(&api, 1).await;
    assert!(api.get(KEY).is_some());
    let with_tokens = api_with_tokens();
    for path in [DISCOVERY, JWKS] {
        api.put(path, with_tokens.get(path).unwrap());
    }
    let mut gateway = api.get(GATEWAY).unwrap();
    gateway["spec"]["auth"] = json!({ "mode": "serviceAccount" });
    api.put(GATEWAY, gateway);
    look(&api, 1).await;
    assert!(api.get(KEY).is_none());
}

#[tokio::test]
async fn without_the_clusters_keys_nothing_is_built_and_the_condition_says_why() {
    let api = api_with_tokens();
    api.remove(JWKS);
    look(&api, 1).await;
    assert!(api.get(TABLE).is_none());
    assert!(api.get(DEPLOYMENT).is_none());
    assert_eq!(
        condition(&api, GATEWAY, "Programmed"),
        ("False".to_owned(), "TokensNotVerifiable".to_owned())
    );
}
