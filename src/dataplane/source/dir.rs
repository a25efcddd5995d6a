//! The mounted files of a pod: `DIR/plan`, `DIR/clients`, `DIR/secrets`.
//!
//! They are polled and their bytes compared. The kubelet replaces a mounted
//! directory by swapping a symlink, which file watches miss, and a poll of a few
//! small files costs nothing.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agentkube_plan::{CLIENTS_FILE, ClientAuth, ClientTable, PLAN_FILE, PlanDigest};
use tokio::sync::watch;
use tracing::{info, warn};

use super::watch::Published;
use super::{Loaded, Plan, PlanWatch, Secrets};
use crate::edge::Drain;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// A ConfigMap or a Secret is at most 1 MiB (the limit of its object in etcd).
const MAX_FILE: u64 = 2 * 1024 * 1024;

/// Serves the plan in a directory.
#[derive(Debug)]
pub struct DirSource<P> {
    files: Files<P>,
    publish: watch::Sender<Published<P>>,
}

#[derive(Debug)]
struct Files<P> {
    dir: PathBuf,
    plan: File<P>,
    clients: File<ClientTable>,
    secrets: Secrets,
}

/// A file as it was last seen, and the last good meaning of it.
#[derive(Debug)]
struct File<T> {
    path: PathBuf,
    seen: Option<Vec<u8>>,
    good: Option<(T, PlanDigest)>,
    rejected: Option<String>,
}

impl<P: Plan> DirSource<P> {
    /// Reads the directory once. What is not there, or not good, may come later:
    /// see [`PlanWatch::rejected`].
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let mut source = Self {
            files: Files {
                dir: dir.to_owned(),
                plan: File::new(dir.join("plan").join(PLAN_FILE)),
                clients: File::new(dir.join("clients").join(CLIENTS_FILE)),
                secrets: Secrets::new(),
            },
            publish: watch::Sender::new(Published::default()),
        };
        source.poll();
        source
    }

    /// A reading end.
    #[must_use]
    pub fn watch(&self) -> PlanWatch<P> {
        PlanWatch(self.publish.subscribe())
    }

    /// Goes on reading every second until the drain.
    pub async fn run(mut self, drain: Drain) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = drain.started() => return,
                _ = ticks.tick() => {}
            }
            let polled = tokio::task::spawn_blocking(move || {
                self.poll();
                self
            });
            match polled.await {
                Ok(source) => self = source,
                Err(error) => {
                    // Its panic was printed; what was loaded goes on being served.
                    tracing::error!(%error, "the plan is no longer followed");
                    return drain.started().await;
                }
            }
        }
    }

    /// Reads the files and publishes what changed.
    fn poll(&mut self) {
        let changed = self.files.read();
        if changed {
            let next = self.files.publish();
            log(&next);
            self.publish.send_replace(next);
        }
    }
}

impl<P: Plan> Files<P> {
    /// True when anything differs from the last time.
    fn read(&mut self) -> bool {
        let plan = self.plan.read(parse_plan);
        let clients = self.clients.read(|bytes| {
            serde_json::from_slice(bytes).map_err(|error| format!("{CLIENTS_FILE}: {error}"))
        });
        let secrets = self.read_secrets();
        let moved = secrets != self.secrets;
        self.secrets = secrets;
        plan || clients || moved
    }

    fn read_secrets(&self) -> Secrets {
        let mut secrets = Secrets::new();
        let entries = self.plan.good.iter().flat_map(|(plan, _)| plan.secrets());
        for entry in entries {
            let path = self.dir.join("secrets").join(entry.path());
            match read(&path) {
                Ok(bytes) => secrets.insert(entry.clone(), bytes),
                // A Secret that is not mounted is a missing one: the plane says so
                // to whoever needs it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // One that cannot be read now (no file descriptors are left) is
                // still what it was.
                Err(_) => {
                    if let Some(last) = self.secrets.get(entry) {
                        secrets.insert(entry.clone(), last.expose());
                    }
                }
            }
        }
        secrets
    }

    fn publish(&self) -> Published<P> {
        let loaded = self.plan.good.as_ref().map(|(plan, digest)| {
            let clients = self.clients.good.as_ref();
            let clients = clients.map(|(table, digest)| (table, digest.clone()));
            let secrets = self.secrets.clone();
            Arc::new(Loaded::new(plan.clone(), digest.clone(), clients, secrets))
        });
        let keyed = loaded
            .as_ref()
            .is_some_and(|loaded| loaded.plan.auth() != ClientAuth::None);
        Published {
            loaded,
            plan_rejected: self.plan.rejected.clone(),
            clients_rejected: self.clients.rejected.clone().filter(|_| keyed),
        }
    }
}

impl<T> File<T> {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            seen: None,
            good: None,
            rejected: None,
        }
    }

    /// True when the file differs from the last time, or reading fails anew.
    fn read(&mut self, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> bool {
        let bytes = match read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reason = Some(format!("{}: {error}", self.path.display()));
                self.seen = None;
                let changed = self.rejected != reason;
                self.rejected = reason;
                return changed;
            }
        };
        if self.seen.as_deref() == Some(&bytes) {
            return false;
        }
        match parse(&bytes) {
            Ok(value) => {
                self.good = Some((value, PlanDigest::of(&bytes)));
                self.rejected = None;
            }
            Err(reason) => self.rejected = Some(reason),
        }
        self.seen = Some(bytes);
        true
    }
}

fn parse_plan<P: Plan>(bytes: &[u8]) -> Result<P, String> {
    let plan: P = serde_json::from_slice(bytes).map_err(|error| format!("{PLAN_FILE}: {error}"))?;
    plan.check()
        .map_err(|error| format!("{PLAN_FILE}: {error}"))?;
    Ok(plan)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("larger than a ConfigMap can be"));
    }
    Ok(bytes)
}

fn log<P: Plan>(published: &Published<P>) {
    if let Some(reason) = published.plan_rejected.as_ref() {
        warn!(%reason, serving = published.loaded.is_some(), "plan not loaded");
    }
    if let Some(reason) = published.clients_rejected.as_ref() {
        warn!(%reason, "client table not loaded");
    }
    if let Some(loaded) = &published.loaded {
        info!(object = %loaded.plan.object(), digest = %loaded.digest, "plan loaded");
    }
}

#[cfg(test)]
mod tests;
