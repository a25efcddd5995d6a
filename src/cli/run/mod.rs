//! `agentkube run`: manifests in, every gateway and proxy in one process.
//!
//! Admission comes first, exactly as in a cluster; what it denies is not served.

mod admission;
mod clients;
mod desired;
mod follow;
mod parts;
mod pins;
mod planes;
mod ports;
mod report;
mod secrets;
mod state;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use agentkube_dataplane::edge::Drain;
use agentkube_dataplane::llm_gateway::Capabilities;

pub(crate) use secrets::SecretFlag;
pub(crate) use state::StateDir;

use super::demo::{self, Demo};
use super::output::Output;
use super::{logging, process};
use desired::Loaded;
use follow::Follower;
use planes::Planes;
use report::Reporter;

/// How long requests under way may take after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// How often tools are compared with their pins, and pins with their files.
const LOOK: Duration = Duration::from_secs(1);

/// Arguments of `agentkube run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentkube run examples/quickstart --demo
  agentkube run gateway.yaml --secret platform/anthropic-key/api-key=ANTHROPIC_API_KEY")]
pub(crate) struct RunArgs {
    /// Manifest files, or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also start the demo providers and the demo MCP server that examples/quickstart names
    #[arg(long)]
    demo: bool,
    /// Address that every object listens on, each at its own port
    #[arg(long, env = "AGENTKUBE_LISTEN", value_name = "IP", default_value_t = LOOPBACK)]
    listen: IpAddr,
    /// Address of /livez, /readyz, /metrics and /plan
    #[arg(long, env = "AGENTKUBE_ADMIN", value_name = "ADDR", default_value_t = SocketAddr::new(LOOPBACK, 9090))]
    admin: SocketAddr,
    /// A Secret's value: NAMESPACE/NAME/KEY=ENV_VAR or NAMESPACE/NAME/KEY=@FILE
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<SecretFlag>,
    /// Where generated keys are kept [default: $XDG_STATE_HOME/agentkube]
    #[arg(long, env = "AGENTKUBE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// What models take, over what this build knows of them: JSON, followed as it changes
    #[arg(long, env = "AGENTKUBE_CAPABILITIES", value_name = "FILE")]
    capabilities: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What models take; a file that was named is followed until the drain.
fn capabilities(file: Option<&Path>, drain: &Drain) -> Result<Capabilities, String> {
    let Some(path) = file else {
        return Ok(Capabilities::default());
    };
    let capabilities = Capabilities::of_file(path)?;
    tokio::spawn(capabilities.clone().follow(path.to_owned(), drain.clone()));
    Ok(capabilities)
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn main(args: RunArgs) -> ExitCode {
    logging::install(logging::Format::Text, "warn,hyper=error");
    process::block_on(run(args))
}

async fn run(args: RunArgs) -> Result<(), String> {
    let stop = process::stop_signal()?;
    let state = StateDir::locate(args.state_dir.clone())?;
    let report = Reporter::new(args.output);
    let load = || {
        let loaded = Loaded::read(&args.paths, &args.secrets, &report)?;
        let desired = loaded.desired(&state)?;
        Ok::<_, String>((loaded, desired))
    };
    let (mut served, desired) = load().map_err(|it| format!("{it}; nothing is served"))?;
    let demo = match args.demo {
        true => Some(start_demo().await?),
        false => None,
    };

    let drain = Drain::new(GRACE);
    let capabilities = capabilities(args.capabilities.as_deref(), &drain)?;
    let mut planes = Planes::start(args.admin, args.listen, capabilities, drain.clone())?;
    report.served(&planes.replace(desired).await?);
    report.ready(planes.admin());

    // What was said of pins that cannot be served.
    let mut pins_failed = None;
    let mut follower = Follower::new(&args.paths);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // The last good state goes on being served when the new one is not good.
        tokio::select! {
            () = stop.cancelled() => break,
            () = follower.changed() => match load() {
                Ok((loaded, desired)) => match planes.replace(desired).await {
                    Ok(changes) => {
                        report.reloaded(&changes);
                        served = loaded;
                    }
                    Err(message) => report.kept(&message),
                },
                Err(message) => report.kept(&message),
            },
            _ = looks.tick() => {
                if planes.look_at_pins(&report) {
                    let failure = repin(&mut planes, &served, &state).await.err();
                    if let Some(message) = failure.as_ref().filter(|_| failure != pins_failed) {
                        report.kept(message);
                    }
                    pins_failed = failure;
                }
            }
        }
    }
    report.stopping();
    drain.start();
    planes.drained().await;
    if let Some(demo) = demo {
        demo.shutdown().await;
    }
    Ok(())
}

/// Serves other pins. What changed they say themselves: the manifests are the same,
/// also when a file is not good just now.
async fn repin(planes: &mut Planes, served: &Loaded, state: &StateDir) -> Result<(), String> {
    planes.replace(served.desired(state)?).await.map(drop)
}

async fn start_demo() -> Result<Demo, String> {
    let started = Demo::start(demo::UPSTREAM_ADDR, demo::MCP_ADDR).await;
    started.map_err(|error| process::chain(&error))
}
