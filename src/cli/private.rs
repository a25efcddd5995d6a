//! Files that only their owner can read, replaced whole and changed by one process at
//! a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Holds others off a file until what is returned is dropped. Its directory is made
/// when it is not there.
///
/// # Errors
/// When that cannot be done.
pub(crate) fn hold(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let lock = open(&path.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Puts bytes into a file that the caller holds: whoever reads it sees the old ones
/// or the new ones, also after a crash.
///
/// # Errors
/// When that cannot be done; then the file is as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = open(&new)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
