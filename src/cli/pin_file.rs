//! The pins of one MCP that `agentkube run` serves: what a cluster keeps in the
//! object's status, in a file of the state directory.
//!
//! Several processes may share it, and `agentkube tools approve` writes it too: a
//! change is made under a lock, and the file is replaced whole.

use std::path::{Path, PathBuf};
use std::{fs, io};

use agentkube_crds::MCPStatus;

use super::private;

/// Where the pins of one MCP lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinFile(PathBuf);

impl PinFile {
    /// The file of an MCP in a state directory.
    pub(crate) fn of(state: &Path, namespace: &str, name: &str) -> Self {
        Self(folder(state).join(format!("{namespace}.{name}.json")))
    }

    /// Every MCP that has pins there, as `(namespace, name)`, in order.
    ///
    /// # Errors
    /// When the directory is there and cannot be read.
    pub(crate) fn all(state: &Path) -> io::Result<Vec<(String, String)>> {
        let entries = match fs::read_dir(folder(state)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut all = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let named = name.to_str().and_then(|it| it.strip_suffix(".json"));
            // Neither half has a dot: both are DNS labels.
            let named = named.and_then(|it| it.split_once('.'));
            all.extend(named.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())));
        }
        all.sort();
        Ok(all)
    }

    /// What it holds; nothing when there is no file yet.
    ///
    /// # Errors
    /// When it cannot be read, or does not hold what was written: then nothing is
    /// trusted anew in silence.
    pub(crate) fn read(&self) -> io::Result<MCPStatus> {
        match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{}: {error}; mend or remove it", self.0.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(MCPStatus::default()),
            Err(error) => Err(error),
        }
    }

    /// Changes what it holds, while nobody else does.
    ///
    /// # Errors
    /// When it cannot be read or replaced; then it is as it was.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut MCPStatus) -> R) -> io::Result<R> {
        let _held = private::hold(&self.0)?;
        let before = self.read()?;
        let mut status = before.clone();
        let result = change(&mut status);
        if status != before {
            self.replace(&status)?;
        }
        Ok(result)
    }

    fn replace(&self, status: &MCPStatus) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(status)?;
        bytes.push(b'\n');
        private::replace(&self.0, &bytes)
    }
}

fn folder(state: &Path) -> PathBuf {
    state.join("pins")
}

#[cfg(test)]
mod tests {
    use agentkube_crds::mcp::McpUpstreamStatus;

    use super::*;

    #[test]
    fn changes_of_many_at_once_are_all_kept() {
        let home = tempfile::tempdir().unwrap();
        let file = PinFile::of(home.path(), "team-a", "tools");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    let name = format!("u{number}");
                    let add = |status: &mut MCPStatus| {
                        status.upstreams.push(McpUpstreamStatus::named(&name));
                    };
                    file.change(add).unwrap();
                });
            }
        });
        assert_eq!(file.read().unwrap().upstreams.len(), 8);
        let all = PinFile::all(home.path()).unwrap();
        assert_eq!(all, [("team-a".to_owned(), "tools".to_owned())]);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_an_error_and_not_a_first_sight() {
        let home = tempfile::tempdir().unwrap();
        let file = PinFile::of(home.path(), "team-a", "tools");
        assert_eq!(file.read().unwrap(), MCPStatus::default());
        file.change(|status| status.drifted = Some(0)).unwrap();
        fs::write(home.path().join("pins/team-a.tools.json"), "{").unwrap();
        assert!(file.read().is_err());
        assert!(file.change(|_| ()).is_err());
    }
}
