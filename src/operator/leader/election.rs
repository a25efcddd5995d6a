//! One attempt to take or renew the Lease.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::time::{Instant, timeout};

/// How long a lease lives and how often it is renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// A lease that was not renewed for this long may be taken.
    pub(crate) lease: Duration,
    /// A holder that could not renew for this long stops writing; shorter than
    /// `lease`, so that it stops before anybody else starts.
    pub(crate) renew_deadline: Duration,
    /// Time between two attempts.
    pub(crate) retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// A candidate for the Lease.
pub(crate) struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    pub(crate) timing: Timing,
    observed: Option<Observed>,
}

/// The lease as it was last seen to change, and when that was by our clock.
struct Observed {
    lease: Lease,
    at: Instant,
}

/// What an attempt found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Somebody else holds it.
    Foreign,
    /// We hold it.
    Held,
    /// Somebody wrote it since we read it.
    Raced,
}

impl Elector {
    pub(crate) fn new(api: Api<Lease>, name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            api,
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing,
            observed: None,
        }
    }

    /// Takes or renews the lease, in bounded time: a call that hangs is a
    /// renewal that failed.
    pub(crate) async fn attempt(&mut self) -> Result<Attempt, kube::Error> {
        match timeout(self.timing.renew_deadline / 2, self.take_or_renew()).await {
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(Attempt::Raced),
            Ok(result) => result,
            Err(_) => Err(kube::Error::Service("the Lease call timed out".into())),
        }
    }

    /// Gives the lease away at once, so that the next leader need not wait.
    pub(crate) async fn release(&mut self) -> Result<(), kube::Error> {
        let Some(observed) = self.observed.take().filter(|o| self.is_ours(&o.lease)) else {
            return Ok(());
        };
        let mut lease = observed.lease;
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        let params = PostParams::default();
        let write = self.api.replace(&self.name, &params, &lease);
        match timeout(self.timing.renew_deadline / 2, write).await {
            Ok(result) => result.map(drop),
            Err(_) => Err(kube::Error::Service("the Lease call timed out".into())),
        }
    }

    async fn take_or_renew(&mut self) -> Result<Attempt, kube::Error> {
        let Some(live) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec_after(None)),
            };
            let created = self.api.create(&PostParams::default(), &lease).await?;
            self.observe(created);
            return Ok(Attempt::Held);
        };
        self.observe_if_changed(&live);
        if !self.is_ours(&live) && self.is_alive(&live) {
            return Ok(Attempt::Foreign);
        }
        let spec = self.spec_after(live.spec.as_ref());
        let lease = Lease {
            spec: Some(spec),
            ..live
        };
        let written = self
            .api
            .replace(&self.name, &PostParams::default(), &lease)
            .await?;
        self.observe(written);
        Ok(Attempt::Held)
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        holder(lease) == Some(self.identity.as_str())
    }

    /// Judged from when we first saw this version, by the duration it names.
    fn is_alive(&self, lease: &Lease) -> bool {
        if holder(lease).is_none() {
            return false;
        }
        let seconds = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds);
        let duration = seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.timing.lease, Duration::from_secs);
        self.observed
            .as_ref()
            .is_some_and(|observed| observed.at.elapsed() < duration)
    }

    fn observe_if_changed(&mut self, live: &Lease) {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let same = |observed: &Observed| version(&observed.lease) == version(live);
        if !self.observed.as_ref().is_some_and(same) {
            self.observe(live.clone());
        }
    }

    fn observe(&mut self, lease: Lease) {
        self.observed = Some(Observed {
            lease,
            at: Instant::now(),
        });
    }

    fn spec_after(&self, previous: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = previous.is_some_and(|p| p.holder_identity.as_deref() == Some(&self.identity));
        let transitions = previous.and_then(|p| p.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.timing.lease.as_secs()).ok(),
            acquire_time: previous
                .filter(|_| ours)
                .and_then(|p| p.acquire_time.clone())
                .or(Some(now.clone())),
            lease_transitions: Some(match previous {
                Some(_) if !ours => transitions.saturating_add(1),
                _ => transitions,
            }),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty())
}
