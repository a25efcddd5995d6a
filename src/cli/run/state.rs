//! The state directory: what has to survive a restart of `agentkube run`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A directory that only its owner can read.
#[derive(Clone, Debug)]
pub(super) struct StateDir(PathBuf);

impl StateDir {
    /// `--state-dir`, else `$XDG_STATE_HOME/agentkube`, else
    /// `~/.local/state/agentkube`.
    ///
    /// # Errors
    /// A message when none of them is known.
    pub(super) fn locate(given: Option<PathBuf>) -> Result<Self, String> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = given
            .or_else(|| set("XDG_STATE_HOME").map(|home| Path::new(&home).join("agentkube")))
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state/agentkube")));
        directory
            .map(Self)
            .ok_or_else(|| "no state directory: set --state-dir, XDG_STATE_HOME or HOME".to_owned())
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
        let directory = self.0.join(folder);
        let file = directory.join(file);
        match fs::read_to_string(&file) {
            Ok(key) if key.trim().len() >= 16 => return Ok(key.trim().to_owned()),
            Ok(_) => fs::remove_file(&file)?, // cut short by a crash: nobody was told this key
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let key = format!("ak-{}", hex::encode(random));
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file);
        match made {
            Ok(mut to) => to.write_all(key.as_bytes()).map(|()| key),
            // Another process made it first: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(fs::read_to_string(&file)?.trim().to_owned())
            }
            Err(error) => Err(error),
        }
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
}
