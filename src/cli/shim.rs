//! `agentkube shim`: serves a program that speaks MCP on stdin and stdout, at a
//! socket that the proxy in the same Pod connects to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use agentkube_dataplane::stdio::{Inherit, Launch, serve_program};

use super::{logging, process};

/// Arguments of `agentkube shim`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  agentkube shim --socket /run/agentkube/files.sock -- npx server-filesystem /data")]
pub(crate) struct ShimArgs {
    /// Socket to serve at
    #[arg(long, env = "AGENTKUBE_SOCKET", value_name = "PATH")]
    socket: PathBuf,
    /// Name of the upstream, for logs
    #[arg(long, env = "AGENTKUBE_UPSTREAM", default_value = "program")]
    name: String,
    /// Bytes of the largest message
    #[arg(long, default_value_t = 16 << 20, value_name = "BYTES")]
    message_bytes: usize,
    /// Seconds without a request after which a session loses its process
    #[arg(long, default_value_t = 1800, value_name = "SECONDS")]
    idle: u64,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

/// Serves it until SIGTERM.
pub(crate) fn main(args: ShimArgs) -> ExitCode {
    logging::install(logging::Format::Json, "info,hyper=error");
    process::block_on(async {
        let stop = process::stop_signal()?;
        let launch = Launch {
            name: args.name,
            command: args.command,
            inherit: Inherit::All,
            env: BTreeMap::new(),
            message_bytes: args.message_bytes,
            idle: Duration::from_secs(args.idle),
        };
        let served = serve_program(launch, &args.socket, stop).await;
        served.map_err(|error| format!("cannot serve at {}: {error}", args.socket.display()))
    })
}
