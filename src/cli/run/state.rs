//! The state directory: what has to survive a restart of `agentkube run`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cli::private;

/// A directory that only its owner can read.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// It was named on the command line.
    named: bool,
}

impl StateDir {
    /// `--state-dir`, else `$XDG_STATE_HOME/agentkube`, else
    /// `~/.local/state/agentkube`.
    ///
    /// # Errors
    /// A message when none of them is known.
    pub(crate) fn locate(given: Option<PathBuf>) -> Result<Self, String> {
        let named = given.is_some();
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = given
            .or_else(|| set("XDG_STATE_HOME").map(|home| Path::new(&home).join("agentkube")))
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state/agentkube")));
        directory
            .map(|path| Self { path, named })
            .ok_or_else(|| "no state directory: set --state-dir, XDG_STATE_HOME or HOME".to_owned())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The flag by which another command finds it.
    pub(crate) fn flag(&self) -> String {
        match self.named {
            true => format!("--state-dir {}", self.path.display()),
            false => "--local".to_owned(),
        }
    }

    /// The key of client `local` of one object; made when there is none yet.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub(super) fn local_key(&self, kind: &str, namespace: &str, name: &str) -> io::Result<String> {
        let file = format!("{kind}.{namespace}.{name}.key");
        self.random("clients", &file)
    }

    /// The key that seals the sessions of an MCP; made when there is none yet.
    /// Processes that share the directory serve each other's sessions.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub(super) fn session_key(&self, namespace: &str, name: &str) -> io::Result<String> {
        self.random("sessions", &format!("{namespace}.{name}.key"))
    }

    fn random(&self, folder: &str, file: &str) -> io::Result<String> {
        let file = self.path.join(folder).join(file);
        if let Some(key) = written(&file)? {
            return Ok(key);
        }
        // Who makes it does so alone. Whoever else wants it waits here and finds it
        // whole: it is never seen half written, nor made anew under somebody's feet.
        let _held = private::hold(&file)?;
        if let Some(key) = written(&file)? {
            return Ok(key);
        }
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let key = format!("ak-{}", hex::encode(random));
        private::replace(&file, key.as_bytes())?;
        Ok(key)
    }
}

/// The key in a file; `None` when there is none, or one that a crash cut short,
/// which nobody was told.
fn written(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(key) => Ok(Some(key.trim().to_owned()).filter(|key| key.len() >= 16)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(home.path().join("state"))).unwrap();
        let key = state.local_key("mcp", "team-a", "tools").unwrap();
        assert_eq!(state.local_key("mcp", "team-a", "tools").unwrap(), key);
        assert_ne!(
            state.local_key("llmgateway", "team-a", "tools").unwrap(),
            key
        );
        let file = home.path().join("state/clients/mcp.team-a.tools.key");
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn processes_that_start_together_agree_on_the_key() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(home.path().join("state"))).unwrap();
        let keys: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| state.session_key("team-a", "tools").unwrap()))
                .collect();
            all.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
        assert!(keys.iter().all(|key| key.len() == 51));
    }

    #[test]
    fn a_key_that_a_crash_cut_short_is_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(home.path().join("state"))).unwrap();
        let folder = home.path().join("state/sessions");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("team-a.tools.key"), "ak-1").unwrap();
        let key = state.session_key("team-a", "tools").unwrap();
        assert_eq!(key.len(), 51);
        assert_eq!(state.session_key("team-a", "tools").unwrap(), key);
    }
}
