//! Elections against a fake API server, on paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::{Value, json};
use tokio::time::{advance, sleep};
use tokio_util::sync::CancellationToken;

use super::election::Attempt;
use super::{Elector, Timing, lead};
use crate::testing::FakeApi;

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/sys/leases/op";

fn elector(api: &FakeApi, identity: &str) -> Elector {
    Elector::new(
        Api::<Lease>::namespaced(api.client(), "sys"),
        "op",
        identity,
        Timing::default(),
    )
}

fn foreign(seconds: i32) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "op", "namespace": "sys" },
        // Its clock is a year ahead, or behind: that must not matter.
        "spec": { "holderIdentity": "other", "leaseDurationSeconds": seconds,
            "renewTime": "2020-01-01T00:00:00.000000Z", "leaseTransitions": 4 },
    })
}

fn holder(api: &FakeApi) -> Value {
    api.get(PATH).unwrap()["spec"]["holderIdentity"].clone()
}

#[tokio::test(start_paused = true)]
async fn an_absent_lease_is_taken_and_renewed_by_its_holder() {
    let api = FakeApi::default();
    let mut us = elector(&api, "us");
    assert_eq!(us.attempt().await.unwrap(), Attempt::Held);
    let acquired = api.get(PATH).unwrap()["spec"]["acquireTime"].clone();
    assert_eq!(us.attempt().await.unwrap(), Attempt::Held);
    let spec = api.get(PATH).unwrap()["spec"].clone();
    assert_eq!(
        (&spec["acquireTime"], &spec["leaseTransitions"]),
        (&acquired, &json!(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_foreign_lease_is_taken_only_after_its_duration_by_our_clock() {
    let api = FakeApi::default();
    api.put(PATH, foreign(15));
    let mut us = elector(&api, "us");
    assert_eq!(
        us.attempt().await.unwrap(),
        Attempt::Foreign,
        "old by its own clock, new to us"
    );
    advance(Duration::from_secs(14)).await;
    assert_eq!(us.attempt().await.unwrap(), Attempt::Foreign);
    api.put(PATH, foreign(15));
    advance(Duration::from_secs(14)).await;
    assert_eq!(
        us.attempt().await.unwrap(),
        Attempt::Foreign,
        "renewed meanwhile"
    );
    advance(Duration::from_secs(15)).await;
    assert_eq!(us.attempt().await.unwrap(), Attempt::Held);
    assert_eq!(api.get(PATH).unwrap()["spec"]["leaseTransitions"], json!(5));
}

#[tokio::test(start_paused = true)]
async fn of_two_candidates_one_wins() {
    let api = FakeApi::default();
    let (mut one, mut two) = (elector(&api, "one"), elector(&api, "two"));
    let both = futures::join!(one.attempt(), two.attempt());
    let held = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(
        held.iter()
            .filter(|attempt| **attempt == Attempt::Held)
            .count(),
        1,
        "{held:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn writers_stop_when_the_lease_cannot_be_renewed_and_before_it_expires() {
    let api = FakeApi::default();
    let running = Arc::new(AtomicUsize::new(0));
    let shutdown = CancellationToken::new();
    let count = Arc::clone(&running);
    let leading = lead(elector(&api, "us"), shutdown.clone(), move |stop| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            stop.cancelled().await;
            count.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let story = async {
        sleep(Duration::from_secs(5)).await;
        assert_eq!(running.load(Ordering::SeqCst), 1);
        api.fail(Some(500));
        sleep(Duration::from_secs(11)).await;
        assert_eq!(
            running.load(Ordering::SeqCst),
            0,
            "within the lease of 15 s"
        );
        api.fail(None);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(running.load(Ordering::SeqCst), 1, "leads again");
        api.put(PATH, foreign(15));
        sleep(Duration::from_secs(3)).await;
        assert_eq!(running.load(Ordering::SeqCst), 0, "somebody else leads");
        shutdown.cancel();
    };
    assert!(futures::join!(leading, story).0);
    assert_eq!(
        holder(&api),
        json!("other"),
        "a foreign lease is not released"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_releases_the_lease_after_the_writers_ended() {
    let api = FakeApi::default();
    let shutdown = CancellationToken::new();
    let seen = api.clone();
    let leading = lead(elector(&api, "us"), shutdown.clone(), move |stop| {
        let api = seen.clone();
        async move {
            stop.cancelled().await;
            sleep(Duration::from_secs(1)).await;
            assert_eq!(holder(&api), json!("us"), "held until the end");
        }
    });
    let story = async {
        sleep(Duration::from_secs(1)).await;
        shutdown.cancel();
    };
    assert!(futures::join!(leading, story).0);
    assert_eq!(holder(&api), json!(""));
    assert_eq!(
        elector(&api, "next").attempt().await.unwrap(),
        Attempt::Held,
        "at once"
    );
}

#[tokio::test(start_paused = true)]
async fn writers_that_end_by_themselves_are_reported() {
    let api = FakeApi::default();
    assert!(!lead(elector(&api, "us"), CancellationToken::new(), |_| async {}).await);
}
