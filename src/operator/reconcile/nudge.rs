//! Makes the kubelet sync mounted files at once instead of after a minute.
//!
//! A changed Pod is synced at once, and `pods/status` lets us change an
//! annotation of a Pod while its spec stays out of reach. The value is a digest
//! of all that is mounted, so it is the same after a restart of the operator. A
//! kubelet may see the Pod before it sees the ConfigMap; so while a Pod does not
//! follow, it is nudged again, a bounded number of times.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agentkube_crds::keys;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::warn;

use crate::apply::FIELD_MANAGER;
use crate::shapes::PodShape;

/// Nudges of one Pod for one state of its files.
const MOST: u32 = 5;
/// Time before the first repeated nudge; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// What was nudged, for Pods that did not follow yet.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    last: Mutex<BTreeMap<String, Nudge>>,
}

#[derive(Clone, Debug)]
struct Nudge {
    value: String,
    times: u32,
    at: Instant,
}

/// The digest of everything that is mounted into the Pods of a data plane.
pub(crate) fn mounted<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// Has the kubelet look at a Pod now. What it does without that, it does later.
pub(crate) async fn sync(client: &Client, pod: &PodShape, value: &str) {
    let meta = &pod.metadata;
    let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
        return;
    };
    let patch = json!({ "metadata": { "annotations": { keys::SYNC: value } } });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..<_>::default()
    };
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    if let Err(error) = api.patch_status(name, &params, &Patch::Merge(&patch)).await {
        warn!(%namespace, pod = %name, %error, "pod not nudged");
    }
}

impl Nudges {
    /// Writes the annotation where it is due. `follows` is false for a Pod that
    /// is known not to serve what is mounted.
    pub(crate) async fn nudge(&self, client: &Client, pod: &PodShape, value: &str, follows: bool) {
        let Some(text) = self.due(pod, value, follows) else {
            return;
        };
        // Without it the kubelet syncs within a minute or so.
        sync(client, pod, &text).await;
    }

    /// True while this Pod is still expected to follow: when that is over, looking
    /// often is of no use either.
    pub(crate) fn awaits(&self, pod: &PodShape) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pod.metadata.uid.as_ref().and_then(|uid| last.get(uid));
        known.is_some_and(|nudge| {
            let wait = FIRST_WAIT * 2_u32.saturating_pow(nudge.times.saturating_sub(1));
            nudge.times < MOST || nudge.at.elapsed() < wait
        })
    }

    /// Forgets Pods that are gone.
    pub(crate) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|uid, _| is_there(uid));
    }

    /// The value to be written, if one is.
    fn due(&self, pod: &PodShape, value: &str, follows: bool) -> Option<String> {
        if pod.is_over() {
            return None;
        }
        let uid = pod.metadata.uid.clone()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let written = pod.annotation(keys::SYNC).unwrap_or_default();
        let base = written.split('.').next().unwrap_or_default();
        let now = Instant::now();
        let known = last.get(&uid).filter(|nudge| nudge.value == value).cloned();
        if base != value && known.is_none() {
            last.insert(
                uid,
                Nudge {
                    value: value.to_owned(),
                    times: 1,
                    at: now,
                },
            );
            return Some(value.to_owned());
        }
        if follows {
            last.remove(&uid);
            return None;
        }
        let nudge = known.unwrap_or(Nudge {
            value: value.to_owned(),
            times: 1,
            at: now,
        });
        let wait = FIRST_WAIT * 2_u32.saturating_pow(nudge.times.saturating_sub(1));
        if nudge.times >= MOST || nudge.at.elapsed() < wait {
            last.entry(uid).or_insert(nudge);
            return None;
        }
        let times = nudge.times + 1;
        last.insert(
            uid,
            Nudge {
                value: value.to_owned(),
                times,
                at: now,
            },
        );
        Some(format!("{value}.{times}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(sync: Option<&str>) -> PodShape {
        let annotations = sync.map(|value| json!({ keys::SYNC: value }));
        serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": "b", "uid": "u", "annotations": annotations}
        }))
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_is_nudged_once_and_again_only_while_it_does_not_follow() {
        let nudges = Nudges::default();
        assert_eq!(nudges.due(&pod(None), "v1", false).as_deref(), Some("v1"));
        assert_eq!(
            nudges.due(&pod(None), "v1", false),
            None,
            "the store may lag behind"
        );
        assert_eq!(nudges.due(&pod(Some("v1")), "v1", false), None, "not yet");
        tokio::time::advance(FIRST_WAIT).await;
        assert_eq!(
            nudges.due(&pod(Some("v1")), "v1", false).as_deref(),
            Some("v1.2")
        );
        tokio::time::advance(FIRST_WAIT * 2).await;
        assert_eq!(
            nudges.due(&pod(Some("v1.2")), "v1", true),
            None,
            "it follows"
        );
        assert_eq!(
            nudges.due(&pod(Some("v1.2")), "v2", true).as_deref(),
            Some("v2")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nudges_are_bounded() {
        let nudges = Nudges::default();
        let mut count = 0;
        for _ in 0..100 {
            count += u32::from(nudges.due(&pod(Some("old")), "v1", false).is_some());
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
        assert_eq!(count, MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_is_awaited_until_it_follows_or_was_nudged_often_enough() {
        let nudges = Nudges::default();
        assert!(!nudges.awaits(&pod(None)));
        nudges.due(&pod(None), "v1", false);
        assert!(nudges.awaits(&pod(Some("v1"))));
        nudges.due(&pod(Some("v1")), "v1", true);
        assert!(!nudges.awaits(&pod(Some("v1"))), "it follows");
        for _ in 0..MOST {
            nudges.due(&pod(Some("v1")), "v2", false);
            assert!(nudges.awaits(&pod(Some("v2"))));
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        assert!(!nudges.awaits(&pod(Some("v2"))), "it never will");
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_operator_finds_nothing_to_nudge() {
        assert_eq!(Nudges::default().due(&pod(Some("v1.3")), "v1", true), None);
    }
}
