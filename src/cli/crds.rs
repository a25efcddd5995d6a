//! `agentkube crds`: the CustomResourceDefinitions as YAML.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::process::failure;

/// Arguments of `agentkube crds`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  agentkube crds | kubectl apply --server-side -f -")]
pub(crate) struct CrdsArgs {}

/// Prints them.
pub(crate) fn main(CrdsArgs {}: &CrdsArgs) -> ExitCode {
    match io::stdout()
        .lock()
        .write_all(agentkube_crds::yaml().as_bytes())
    {
        Ok(()) => ExitCode::SUCCESS,
        // `agentkube crds | head` is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failure(&error.to_string()),
    }
}
