//! `agentkube lint`: the answer that admission would give, without a cluster.

mod print;

use std::path::PathBuf;
use std::process::ExitCode;

use agentkube_webhooks::admit::Mode;

use super::manifest::load;
use super::offline::{Finding, Offline, Severity};
use super::output::Output;

/// Arguments of `agentkube lint`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentkube lint gateway.yaml
  agentkube lint --local -o json examples/quickstart

Exit code: 0 clean or warnings only, 1 errors, 2 unreadable input.")]
pub(crate) struct LintArgs {
    /// Manifest files, or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check for `agentkube run` on this machine: loopback endpoints are fine
    #[arg(long)]
    local: bool,
    /// A file of AgentPolicies that apply as well
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Lints and prints.
pub(crate) fn main(args: &LintArgs) -> ExitCode {
    let paths: Vec<PathBuf> = args.paths.iter().chain(&args.policy).cloned().collect();
    let (findings, code) = match load(&paths) {
        Err(unreadable) => (unreadable.into_iter().map(Finding::from).collect(), 2),
        Ok(manifests) => {
            let mode = if args.local {
                Mode::Local
            } else {
                Mode::Cluster
            };
            let findings = Offline::judge(manifests, &[], mode).findings();
            let wrong = findings
                .iter()
                .any(|finding| finding.severity == Severity::Error);
            (findings, u8::from(wrong))
        }
    };
    match args.output {
        Output::Text => print::text(&findings),
        Output::Json => print::json(&findings),
    }
    ExitCode::from(code)
}
