//! Wire transcripts, for tests.

use std::path::PathBuf;

use bytes::Bytes;

fn folder(dialect: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures", dialect]
        .iter()
        .collect()
}

/// One transcript: `openai/chat_text.sse`.
pub(crate) fn read(path: &str) -> Bytes {
    let file = folder(path);
    Bytes::from(std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// The names of all transcripts of one kind, sorted.
pub(crate) fn all(dialect: &str, extension: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder(dialect))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(extension))
        .map(|name| format!("{dialect}/{name}"))
        .collect();
    names.sort();
    names
}
