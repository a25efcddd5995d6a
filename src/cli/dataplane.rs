//! `agentkube gateway` and `agentkube mcp-proxy`: what data-plane Pods run.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use agentkube_dataplane::edge::Drain;
use agentkube_dataplane::llm_gateway::run_gateway;
use agentkube_dataplane::mcp_proxy::{home, run_proxy};
use agentkube_operator::listen::{self, any};
use agentkube_plan::{ADMIN_PORT, RELAY_PORT, TRAFFIC_PORT};
use tokio::net::TcpListener;

use super::{logging, process};

/// Arguments of the data planes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentkube gateway --plan /etc/agentkube
  agentkube mcp-proxy --plan /etc/agentkube

DIR holds plan/plan.json, clients/clients.json, secrets/<secret>/<entry> and, where
models take something else than this build knows, capabilities/models.json.")]
pub(crate) struct PlaneArgs {
    /// Directory of the mounted plan, client table and credentials
    #[arg(long, env = "AGENTKUBE_PLAN", value_name = "DIR")]
    plan: PathBuf,
    /// Address that carries traffic
    #[arg(long, env = "AGENTKUBE_LISTEN", value_name = "ADDR", default_value_t = any(TRAFFIC_PORT))]
    listen: SocketAddr,
    /// Address of /livez, /readyz, /metrics and /digest
    #[arg(long, env = "AGENTKUBE_ADMIN", value_name = "ADDR", default_value_t = any(ADMIN_PORT))]
    admin: SocketAddr,
    /// Seconds that requests under way may take after SIGTERM
    #[arg(
        long,
        env = "AGENTKUBE_GRACE",
        value_name = "SECONDS",
        default_value_t = 25
    )]
    grace: u64,
}

/// Arguments of `agentkube mcp-proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    plane: PlaneArgs,
    /// Address where other replicas hand on requests of sessions that live here
    #[arg(long, env = "AGENTKUBE_RELAY", value_name = "ADDR", default_value_t = any(RELAY_PORT))]
    relay: SocketAddr,
    /// Address of this Pod; without it sessions on stdio live in every replica anew
    #[arg(
        long,
        env = "AGENTKUBE_POD_IP",
        value_name = "IP",
        requires = "pod_uid"
    )]
    pod_ip: Option<IpAddr>,
    /// UID of this Pod
    #[arg(
        long,
        env = "AGENTKUBE_POD_UID",
        value_name = "UID",
        requires = "pod_ip"
    )]
    pod_uid: Option<String>,
}

/// Serves an LLMGateway until SIGTERM.
pub(crate) fn gateway(args: PlaneArgs) -> ExitCode {
    serve(
        args,
        async |PlaneArgs { plan, .. }, traffic, admin, drain| {
            run_gateway(&plan, traffic, admin, drain).await
        },
    )
}

/// Serves an MCP until SIGTERM.
pub(crate) fn mcp_proxy(args: ProxyArgs) -> ExitCode {
    let ProxyArgs {
        plane,
        relay,
        pod_ip,
        pod_uid,
    } = args;
    serve(
        plane,
        async |PlaneArgs { plan, .. }, traffic, admin, drain| {
            let relay = match pod_ip.zip(pod_uid) {
                Some((ip, uid)) => {
                    let listener = listen::bind(relay)?;
                    let port = listener.local_addr()?.port();
                    Some((listener, home(&uid, SocketAddr::new(ip, port))))
                }
                None => None,
            };
            run_proxy(&plan, traffic, admin, relay, drain).await
        },
    )
}

fn serve(
    args: PlaneArgs,
    plane: impl AsyncFnOnce(PlaneArgs, TcpListener, TcpListener, Drain) -> std::io::Result<()>,
) -> ExitCode {
    logging::install(logging::Format::Json, "info,hyper=error");
    process::block_on(async {
        let traffic = bind(args.listen)?;
        let admin = bind(args.admin)?;
        let stop = process::stop_signal()?;
        let drain = Drain::new(Duration::from_secs(args.grace));
        let signal = drain.clone();
        let watch = tokio::spawn(async move {
            stop.cancelled().await;
            signal.start();
        });
        let ended = plane(args, traffic, admin, drain).await;
        watch.abort();
        ended.map_err(|error| process::chain(&error))
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    listen::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))
}
