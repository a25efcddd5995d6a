//! What models take, for a process: the table of this build, and what a file says
//! over it. The file is polled, as mounted ones are: providers change their models
//! faster than anybody updates a gateway.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agentkube_llm::capabilities::CapabilityTable;
use arc_swap::ArcSwap;
use tracing::{info, warn};

use crate::edge::Drain;

/// How often the file is looked at.
const POLL: Duration = Duration::from_secs(1);

/// The name of the file in its mounted directory.
pub const CAPABILITIES_FILE: &str = "models.json";

/// The table that is in force. Clones are the same table.
#[derive(Clone, Debug)]
pub struct Capabilities(Arc<ArcSwap<CapabilityTable>>);

/// A file of capabilities as it was last seen.
#[derive(Debug)]
struct Follower {
    path: PathBuf,
    seen: Option<Vec<u8>>,
    /// Why it could not be read the last time.
    unread: Option<io::ErrorKind>,
    table: Capabilities,
}

impl Default for Capabilities {
    /// The table of this build.
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(CapabilityTable::embedded())))
    }
}

impl Capabilities {
    /// The table of this build with what a file says over it.
    ///
    /// # Errors
    /// When the file cannot be read or is in another shape; the message says where.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let capabilities = Self::default();
        let name = path.display();
        let bytes = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        capabilities
            .take(Some(&bytes))
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(capabilities)
    }

    /// Follows the file until the drain. Where there is none, the table of this build
    /// is in force; while it is not good, what was before.
    pub async fn follow(self, path: PathBuf, drain: Drain) {
        let mut follower = Follower {
            path,
            seen: None,
            unread: None,
            table: self,
        };
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = drain.started() => return,
                _ = ticks.tick() => {}
            }
            let polled = tokio::task::spawn_blocking(move || {
                follower.poll();
                follower
            });
            match polled.await {
                Ok(polled) => follower = polled,
                Err(error) => {
                    tracing::error!(%error, "the model capabilities are no longer followed");
                    return drain.started().await;
                }
            }
        }
    }

    pub(super) fn load(&self) -> Arc<CapabilityTable> {
        self.0.load_full()
    }

    /// Puts what a file says in force; none: there is no file.
    fn take(&self, file: Option<&[u8]>) -> Result<(), String> {
        let mut table = CapabilityTable::embedded();
        if let Some(bytes) = file {
            let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
            let over = CapabilityTable::parse(text).map_err(|error| error.to_string())?;
            table.lay_over(over);
        }
        self.0.store(Arc::new(table));
        Ok(())
    }
}

impl Follower {
    fn poll(&mut self) {
        let found = match fs::read(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                // What cannot be read now is still what it was.
                if self.unread != Some(error.kind()) {
                    warn!(file = %self.path.display(), %error, "model capabilities not read");
                }
                self.unread = Some(error.kind());
                return;
            }
        };
        self.unread = None;
        if found == self.seen {
            return;
        }
        match self.table.take(found.as_deref()) {
            Ok(()) => info!(
                version = self.table.load().version,
                "model capabilities loaded"
            ),
            Err(error) => warn!(file = %self.path.display(), %error, "model capabilities refused"),
        }
        self.seen = found;
    }
}

#[cfg(test)]
mod tests {
    use agentkube_llm::capabilities::Parameter;

    use super::*;

    const FILE: &str = r#"{"version":"ours","models":[
        {"names":["gpt-4o"],"providers":["openai"],"refuses":["seed"]}]}"#;

    fn refuses_seed(capabilities: &Capabilities) -> bool {
        let gpt = capabilities.load().of("openai", "gpt-4o");
        gpt.refuses(Parameter::Seed)
    }

    #[test]
    fn a_file_is_laid_over_the_embedded_table_and_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CAPABILITIES_FILE);
        let table = Capabilities::default();
        let mut follower = Follower {
            path: path.clone(),
            seen: None,
            unread: None,
            table: table.clone(),
        };
        follower.poll();
        assert!(!refuses_seed(&table));
        fs::write(&path, FILE).unwrap();
        follower.poll();
        assert!(refuses_seed(&table));
        assert_eq!(table.load().version, "ours");
        let opus = table.load().of("anthropic", "claude-opus-4-7");
        assert!(opus.refuses(Parameter::Temperature), "the rest stays");

        fs::write(&path, r#"{"version":"2","models":[{"nmaes":["x"]}]}"#).unwrap();
        follower.poll();
        assert!(refuses_seed(&table), "what is not good changes nothing");
        fs::remove_file(&path).unwrap();
        follower.poll();
        assert!(!refuses_seed(&table));
    }

    #[test]
    fn a_file_that_was_asked_for_must_be_there_and_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert!(
            Capabilities::of_file(&path)
                .unwrap_err()
                .contains("x.json: ")
        );
        fs::write(&path, r#"{"version":"2","models":[{"nmaes":["x"]}]}"#).unwrap();
        let error = Capabilities::of_file(&path).unwrap_err();
        assert!(error.contains("unknown field `nmaes`"), "{error}");
        fs::write(&path, FILE).unwrap();
        assert!(refuses_seed(&Capabilities::of_file(&path).unwrap()));
    }
}
