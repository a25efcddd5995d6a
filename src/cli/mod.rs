//! The command line: one file or folder a subcommand.
//!
//! Flags win over environment variables (`AGENTKUBE_…`), those over defaults.

mod crds;
mod dataplane;
mod demo;
mod explain;
mod install_self;
mod lint;
mod logging;
mod manifest;
mod offline;
mod operator;
mod output;
mod pin_file;
mod private;
mod process;
mod run;
mod shim;
mod supervise;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Kubernetes control plane and two data planes for AI agents.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve manifests in one process, without a cluster
    Run(run::RunArgs),
    /// Give the answer that admission would give, without a cluster
    Lint(lint::LintArgs),
    /// Show how a Pod or an Agent would be wired
    Explain(explain::ExplainArgs),
    /// Tools that are not as they are pinned, and their approval
    Tools(tools::ToolsArgs),
    /// Print the CustomResourceDefinitions
    Crds(crds::CrdsArgs),
    /// The control plane: admission webhooks and reconcilers
    Operator(operator::OperatorArgs),
    /// The data plane of an LLMGateway
    Gateway(dataplane::PlaneArgs),
    /// The data plane of an MCP
    McpProxy(dataplane::ProxyArgs),
    /// Run a program once, as PID 1 of an agent's container
    Supervise(supervise::SuperviseArgs),
    /// Copy this program to a file, without a shell
    #[command(hide = true)]
    InstallSelf(install_self::InstallArgs),
    /// Serve a program that speaks MCP on stdin and stdout, at a socket
    #[command(hide = true)]
    Shim(shim::ShimArgs),
    /// Demo providers and a demo MCP server that need no key and no network
    DemoUpstream(demo::DemoArgs),
}

impl Cli {
    /// Runs the subcommand to its end.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Run(args) => run::main(args),
            Command::Lint(args) => lint::main(&args),
            Command::Explain(args) => explain::main(&args),
            Command::Tools(args) => tools::main(args),
            Command::Crds(args) => crds::main(&args),
            Command::Operator(args) => operator::main(args),
            Command::Gateway(args) => dataplane::gateway(args),
            Command::McpProxy(args) => dataplane::mcp_proxy(args),
            Command::Supervise(args) => supervise::main(&args),
            Command::InstallSelf(args) => install_self::main(&args),
            Command::Shim(args) => shim::main(args),
            Command::DemoUpstream(args) => process::block_on(async {
                let stop = process::stop_signal()?;
                args.run(stop.cancelled_owned())
                    .await
                    .map_err(|error| process::chain(&error))
            }),
        }
    }
}
