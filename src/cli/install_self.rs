//! `agentkube install-self`: copies this program. Our image has no shell, and an
//! init container brings the program into containers of other images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::process::failure;

/// Arguments of `agentkube install-self`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  agentkube install-self /shared/agentkube")]
pub(crate) struct InstallArgs {
    /// File to write
    destination: PathBuf,
}

/// Copies it.
pub(crate) fn main(args: &InstallArgs) -> ExitCode {
    match install(&args.destination) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&format!(
            "cannot copy this program to {}: {error}",
            args.destination.display()
        )),
    }
}

/// A copy beside, then a rename: a file that is being run cannot be written, and
/// half a program is never run.
fn install(destination: &Path) -> std::io::Result<()> {
    let part = destination.with_extension("part");
    fs::copy(std::env::current_exe()?, &part)?;
    fs::rename(&part, destination)
}
