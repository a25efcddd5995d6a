//! The CA and the registration against a fake API server.

use std::sync::Arc;

use agentkube_certs::{Authority, Resolver};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use serde_json::json;

use super::*;
use crate::admin::Readiness;
use crate::metrics::Metrics;
use crate::testing::FakeApi;
use crate::{Options, WebhookEndpoint};

const MUTATING: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/agentkube";

fn options() -> Options {
    let endpoint = WebhookEndpoint::Url("https://127.0.0.1:9443".to_owned());
    Options {
        webhook_endpoint: endpoint,
        ..Options::default()
    }
}

fn registrar(api: &FakeApi) -> Registrar {
    Registrar::new(&api.client(), &options(), Metrics::new(Registry::default()))
}

fn leaves() -> Leaves {
    Leaves {
        resolver: Arc::new(Resolver::new()),
        names: names(&options()),
        serving: Arc::new(Readiness::default()),
        metrics: Metrics::new(Registry::default()),
    }
}

fn secret(api: &FakeApi) -> CaSecret {
    CaSecret::new(&api.client(), "agentkube-system")
}

fn bundle(api: &FakeApi) -> String {
    use base64::Engine as _;
    let entries = api.get(MUTATING).unwrap()["webhooks"].clone();
    let text = entries[0]["clientConfig"]["caBundle"]
        .as_str()
        .unwrap()
        .to_owned();
    String::from_utf8(
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_registration_that_is_current_is_not_written_again() {
    let api = FakeApi::default();
    registrar(&api).register("BUNDLE").await.unwrap();
    assert_eq!(api.writes().len(), 2);
    registrar(&api).register("BUNDLE").await.unwrap();
    assert!(api.writes().is_empty());
    registrar(&api).register("ANOTHER").await.unwrap();
    assert_eq!((api.writes().len(), bundle(&api).as_str()), (2, "ANOTHER"));
}

#[tokio::test]
async fn drift_of_a_registration_is_mended() {
    let api = FakeApi::default();
    registrar(&api).register("BUNDLE").await.unwrap();
    let mut drifted = api.get(MUTATING).unwrap();
    drifted["webhooks"][0]["failurePolicy"] = json!("Fail");
    api.put(MUTATING, drifted);
    registrar(&api).register("BUNDLE").await.unwrap();
    assert_eq!(
        api.get(MUTATING).unwrap()["webhooks"][0]["failurePolicy"],
        json!("Ignore")
    );
}

#[tokio::test]
async fn a_configuration_of_somebody_else_is_not_touched() {
    let api = FakeApi::default();
    api.put(
        MUTATING,
        json!({ "metadata": { "name": "agentkube" }, "webhooks": [] }),
    );
    registrar(&api).register("BUNDLE").await.unwrap();
    assert_eq!(api.get(MUTATING).unwrap()["webhooks"], json!([]));
}

#[tokio::test]
async fn the_cluster_role_owns_the_configurations_when_it_is_there() {
    let api = FakeApi::default();
    api.put(
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/agentkube",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "agentkube", "uid": "role-uid" },
        }),
    );
    registrar(&api).register("BUNDLE").await.unwrap();
    let owner = api.get(MUTATING).unwrap()["metadata"]["ownerReferences"][0].clone();
    assert_eq!(owner["uid"], json!("role-uid"));
}

#[tokio::test]
async fn two_leaders_after_each_other_share_one_ca() {
    let api = FakeApi::default();
    let now = Timestamp::now();
    let first = current(&secret(&api), None, now).await.unwrap();
    let second = current(&secret(&api), None, now).await.unwrap();
    assert_eq!(first.bundle_pem(), second.bundle_pem());
    let raced = secret(&api)
        .create(&Authority::generate(now).unwrap())
        .await
        .unwrap();
    assert_eq!(
        raced.bundle_pem(),
        first.bundle_pem(),
        "whoever was faster wins"
    );
}

#[tokio::test]
async fn the_first_round_serves_and_registers_one_bundle() {
    let api = FakeApi::default();
    let leaves = leaves();
    let mut published = None;
    round(&secret(&api), &registrar(&api), &leaves, &mut published)
        .await
        .unwrap();
    assert!(leaves.is_serving());
    assert_eq!(published.map(|(known, _)| known), Some(bundle(&api)));
}

#[tokio::test]
async fn a_rotation_publishes_before_it_signs() {
    let api = FakeApi::default();
    let old = Authority::generate(Timestamp::now() - SignedDuration::from_hours(300 * 24)).unwrap();
    secret(&api).create(&old).await.unwrap();
    let (leaves, mut published) = (leaves(), None);
    round(&secret(&api), &registrar(&api), &leaves, &mut published)
        .await
        .unwrap();
    assert_eq!(
        bundle(&api).matches("BEGIN CERTIFICATE").count(),
        2,
        "old and next"
    );
    let kept = secret(&api).read().await.unwrap().unwrap();
    assert!(
        !kept.leaf_is_due(&leaves.resolver.leaf().unwrap(), Timestamp::now()),
        "still the old CA"
    );
    let long_ago = Timestamp::now() - agentkube_certs::PUBLISH_WAIT;
    let since = published.map(|(known, _)| (known, long_ago));
    let promoted = current(&secret(&api), since.as_ref(), Timestamp::now())
        .await
        .unwrap();
    assert!(promoted.leaf_is_due(&leaves.resolver.leaf().unwrap(), Timestamp::now()));
    assert_eq!(
        promoted.bundle_pem().matches("BEGIN CERTIFICATE").count(),
        2,
        "the old one stays"
    );
}

#[tokio::test]
async fn a_broken_ca_is_made_anew() {
    let api = FakeApi::default();
    let path = "/api/v1/namespaces/agentkube-system/secrets/agentkube-webhook-ca";
    api.put(
        path,
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "agentkube-webhook-ca", "namespace": "agentkube-system" },
            "data": { "ca.crt": "eA==", "ca.key": "eA==" },
        }),
    );
    let made = current(&secret(&api), None, Timestamp::now())
        .await
        .unwrap();
    let read = secret(&api).read().await.unwrap().unwrap();
    assert_eq!(made.bundle_pem(), read.bundle_pem());
}

#[tokio::test]
async fn a_write_over_a_newer_version_is_refused() {
    let api = FakeApi::default();
    let (one, two) = (secret(&api), secret(&api));
    let authority = Authority::generate(Timestamp::now()).unwrap();
    one.create(&authority).await.unwrap();
    two.read().await.unwrap();
    one.replace(
        &authority
            .advance(agentkube_certs::Step::Introduce, Timestamp::now())
            .unwrap(),
    )
    .await
    .unwrap();
    assert!(two.replace(&authority).await.is_err());
}

#[test]
fn the_certificate_is_for_the_names_that_the_api_server_uses() {
    assert_eq!(names(&options()), ["127.0.0.1"]);
    let v6 = WebhookEndpoint::Url("https://[::1]:9443".to_owned());
    assert_eq!(
        names(&Options {
            webhook_endpoint: v6,
            ..Options::default()
        }),
        ["::1"]
    );
    assert_eq!(
        names(&Options::default()),
        [
            "agentkube-webhooks.agentkube-system.svc.cluster.local",
            "agentkube-webhooks.agentkube-system.svc"
        ]
    );
}
