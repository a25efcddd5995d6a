//! From paths on the command line to manifests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::fold::{Positions, fold};
use super::merge::resolve_merges;
use super::yaml::{Node, NodeKind, YamlError, parse};
use super::{Manifest, Position, Unreadable};

/// Largest manifest file that is read.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// Every object of these files and directories, in order of file and document.
///
/// # Errors
/// Everything that could not be read, not just the first.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Manifest>, Vec<Unreadable>> {
    let files = manifest_files(paths)?;
    let mut manifests = Vec::new();
    let mut unreadable = Vec::new();
    for file in files {
        match read(&file) {
            Ok(found) => manifests.extend(found),
            Err(error) => unreadable.push(error),
        }
    }
    if unreadable.is_empty() {
        Ok(manifests)
    } else {
        Err(unreadable)
    }
}

/// The files that these paths stand for: a directory stands for the `.yaml`,
/// `.yml` and `.json` files directly in it, as for `kubectl apply -f`.
///
/// # Errors
/// Every path that is neither, and every directory without a manifest.
pub(crate) fn manifest_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<Unreadable>> {
    let mut files = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        match files_of(path) {
            Ok(found) => files.extend(found),
            Err(message) => unreadable.push(unreadable_file(path, message)),
        }
    }
    if unreadable.is_empty() {
        Ok(files)
    } else {
        Err(unreadable)
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| error.to_string())? {
        let file = entry.map_err(|error| error.to_string())?.path();
        let named = file.extension().and_then(|extension| extension.to_str());
        if matches!(named, Some("yaml" | "yml" | "json")) && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err("no .yaml, .yml or .json file in this directory".to_owned());
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<Manifest>, Unreadable> {
    let about = fs::metadata(path).map_err(|error| unreadable_file(path, error.to_string()))?;
    if about.len() > MAX_FILE_BYTES {
        let message = format!("larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(unreadable_file(path, message));
    }
    let bytes = fs::read(path).map_err(|error| unreadable_file(path, error.to_string()))?;
    let text =
        String::from_utf8(bytes).map_err(|_| unreadable_file(path, "not UTF-8 text".to_owned()))?;
    manifests(path, &text)
}

/// The manifests in the text of one file.
pub(super) fn manifests(path: &Path, text: &str) -> Result<Vec<Manifest>, Unreadable> {
    let in_file = |error: YamlError| Unreadable {
        file: path.to_owned(),
        position: error.at,
        message: error.message,
    };
    let file = Arc::new(path.to_owned());
    let mut found = Vec::new();
    for mut document in parse(text).map_err(in_file)? {
        resolve_merges(&mut document).map_err(in_file)?;
        unroll(document, &mut |node| {
            let (object, positions) = fold(node);
            found.push(manifest(&file, object, positions)?);
            Ok(())
        })
        .map_err(in_file)?;
    }
    Ok(found)
}

/// A `List` stands for its items.
fn unroll(
    node: Node,
    each: &mut impl FnMut(Node) -> Result<(), YamlError>,
) -> Result<(), YamlError> {
    let NodeKind::Mapping(entries) = node.kind else {
        return Err(YamlError {
            at: node.at,
            message: "not an object: a manifest begins with apiVersion and kind".to_owned(),
        });
    };
    let is_list = entries.iter().any(|entry| {
        let text = match &entry.value.kind {
            NodeKind::Scalar(scalar) => scalar.as_key(),
            _ => return false,
        };
        entry.key == "kind" && text == "List"
    });
    if !is_list {
        return each(Node {
            at: node.at,
            kind: NodeKind::Mapping(entries),
        });
    }
    for entry in entries {
        if let ("items", NodeKind::Sequence(items)) = (entry.key.as_str(), entry.value.kind) {
            for item in items {
                unroll(item, each)?;
            }
        }
    }
    Ok(())
}

fn manifest(
    file: &Arc<PathBuf>,
    object: Value,
    positions: Positions,
) -> Result<Manifest, YamlError> {
    let manifest = Manifest {
        file: Arc::clone(file),
        object,
        positions,
    };
    for (field, value) in [
        ("apiVersion", manifest.api_version()),
        ("kind", manifest.kind()),
    ] {
        if value.is_empty() {
            return Err(YamlError {
                at: manifest.position(field),
                message: format!("{field} not set: a manifest begins with apiVersion and kind"),
            });
        }
    }
    Ok(manifest)
}

fn unreadable_file(path: &Path, message: String) -> Unreadable {
    Unreadable {
        file: path.to_owned(),
        position: Position::START,
        message,
    }
}
