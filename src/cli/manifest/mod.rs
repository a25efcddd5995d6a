//! Manifests on disk: what `run`, `lint` and `explain` read.
//!
//! YAML is read as `kubectl` reads it (YAML 1.1 booleans, merge keys, `List`
//! unrolled), with one difference: a duplicate key is an error.

mod files;
mod fold;
mod merge;
mod scalar;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use files::{load, manifest_files};

/// A place in a file; both count from 1, as editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

impl Position {
    /// The first character of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// One object of a manifest file.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The file it came from, as the user named it.
    pub(crate) file: Arc<PathBuf>,
    /// The object as kubectl would send it.
    pub(crate) object: Value,
    /// Field path → where that field stands in the file.
    positions: HashMap<String, Position>,
}

impl Manifest {
    /// Where a field stands or, when it is not there, its nearest parent.
    pub(crate) fn position(&self, field: &str) -> Position {
        let mut path = field;
        loop {
            if let Some(position) = self.positions.get(path) {
                return *position;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.positions.get("").copied().unwrap_or(Position::START),
            }
        }
    }

    /// `metadata.name`, or the empty string.
    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, `default` when absent, as kubectl fills it in.
    pub(crate) fn namespace(&self) -> &str {
        match self.text("/metadata/namespace") {
            "" => "default",
            namespace => namespace,
        }
    }

    /// `kind`, or the empty string.
    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `apiVersion`, or the empty string.
    pub(crate) fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    fn text(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// Input that could not be read as manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The file, as the user named it.
    pub(crate) file: PathBuf,
    /// Where in the file.
    pub(crate) position: Position,
    /// What is wrong and what to do.
    pub(crate) message: String,
}
