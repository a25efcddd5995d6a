//! Notices when a manifest file changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::cli::manifest::manifest_files;

/// An editor writes a file in several steps: wait until it is quiet.
const QUIET: Duration = Duration::from_millis(150);
/// Some file systems tell nobody; and a watch on a replaced directory is deaf.
const POLL: Duration = Duration::from_secs(5);

/// Files as they were last seen.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Follows the files that were given to `run`.
#[derive(Debug)]
pub(super) struct Follower {
    paths: Vec<PathBuf>,
    seen: Seen,
    /// Kept for its life: dropping it ends the watch.
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
}

impl Follower {
    /// Begins to follow. Without a working watch it polls.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        // One slot: a second event says nothing that the first did not.
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |_| {
            let _ = sender.try_send(());
        });
        let mut follower = Self {
            paths: paths.to_vec(),
            seen: Seen::new(),
            watcher: watcher.ok(),
            events,
        };
        follower.seen = follower.look();
        follower.watch_directories();
        follower
    }

    /// Waits until a file was changed, added or removed.
    pub(super) async fn changed(&mut self) {
        loop {
            let poll = sleep_until(Instant::now() + POLL);
            tokio::select! {
                event = self.events.recv(), if self.watcher.is_some() => {
                    if event.is_none() {
                        self.watcher = None;
                    }
                    self.quiet().await;
                }
                () = poll => {}
            }
            let now = self.look();
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }

    async fn quiet(&mut self) {
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
    }

    fn look(&self) -> Seen {
        // A path that cannot be read now is read again at the next change.
        let files = self
            .paths
            .iter()
            .flat_map(|path| manifest_files(std::slice::from_ref(path)).unwrap_or_default());
        files
            .filter_map(|file| {
                let about = std::fs::metadata(&file).ok()?;
                Some((file, (about.len(), about.modified().ok())))
            })
            .collect()
    }

    /// Directories and not files: an editor replaces a file, and a watch on it
    /// would follow the one that was removed.
    fn watch_directories(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let directories: BTreeSet<PathBuf> = self
            .paths
            .iter()
            .map(|path| match path.parent() {
                Some(parent) if !path.is_dir() && parent.as_os_str().is_empty() => ".".into(),
                Some(parent) if !path.is_dir() => parent.to_owned(),
                _ => path.clone(),
            })
            .collect();
        for directory in directories {
            if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
                warn!(directory = %directory.display(), %error, "not watched, polled instead");
            }
        }
    }
}
