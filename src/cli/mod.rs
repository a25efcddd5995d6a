//! The command line: one file a subcommand.

mod manifest;

use std::process::ExitCode;

use clap::Parser;

/// agentkube.
#[derive(Debug, Parser)]
pub(crate) struct Cli {}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}
