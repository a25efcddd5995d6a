//! `agentkube operator`: admission webhooks and reconcilers.

use std::net::SocketAddr;
use std::process::ExitCode;

use agentkube_crds::agent::AgentRuntime;
use agentkube_operator::{Options, WebhookEndpoint};
use serde_json::json;

use super::{logging, process};

/// Arguments of `agentkube operator`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentkube operator --image registry.example/agentkube:0.1.0
  # beside an API server, outside any cluster:
  agentkube operator --webhook-listen 127.0.0.1:9443 --webhook-url https://127.0.0.1:9443")]
pub(crate) struct OperatorArgs {
    /// Image of the data planes: this program's own
    #[arg(long, env = "AGENTKUBE_IMAGE", default_value = "agentkube:dev")]
    image: String,
    /// imagePullPolicy of those containers [default: the cluster's]
    #[arg(long, env = "AGENTKUBE_IMAGE_PULL_POLICY", value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// Namespace of the operator: its Lease and its CA live there
    #[arg(long, env = "AGENTKUBE_NAMESPACE", default_value = "agentkube-system")]
    namespace: String,
    /// Name of this replica, unique among replicas [default: the host's name]
    #[arg(long, env = "AGENTKUBE_IDENTITY")]
    identity: Option<String>,
    /// Address of the webhook server
    #[arg(
        long,
        env = "AGENTKUBE_WEBHOOK_LISTEN",
        value_name = "ADDR",
        default_value = "[::]:9443"
    )]
    webhook_listen: SocketAddr,
    /// Service through which the API server reaches the webhook server
    #[arg(
        long,
        env = "AGENTKUBE_WEBHOOK_SERVICE",
        value_name = "NAME",
        default_value = "agentkube-webhooks"
    )]
    webhook_service: String,
    /// URL by which it does instead, for an operator outside the cluster
    #[arg(long, env = "AGENTKUBE_WEBHOOK_URL", value_name = "URL")]
    webhook_url: Option<String>,
    /// Address of /livez, /readyz and /metrics
    #[arg(
        long,
        env = "AGENTKUBE_ADMIN",
        value_name = "ADDR",
        default_value = "[::]:9090"
    )]
    admin: SocketAddr,
    /// Write without a Lease: for a single replica
    #[arg(long, env = "AGENTKUBE_NO_LEADER_ELECTION")]
    no_leader_election: bool,
    /// ClusterRole that owns the webhook configurations, so that they go when it goes
    #[arg(
        long,
        env = "AGENTKUBE_CLUSTER_ROLE",
        value_name = "NAME",
        default_value = "agentkube"
    )]
    cluster_role: String,
    /// DNS domain of the cluster
    #[arg(
        long,
        env = "AGENTKUBE_CLUSTER_DOMAIN",
        value_name = "DOMAIN",
        default_value = "cluster.local"
    )]
    cluster_domain: String,
    /// Namespaces that may scrape the data planes, as a label KEY=VALUE
    #[arg(long, env = "AGENTKUBE_MONITORING_NAMESPACES", value_name = "KEY=VALUE", value_parser = label)]
    monitoring_namespaces: Option<(String, String)>,
    /// Image of Agents that name none, by runtime (runtimes.RUNTIME.image); repeatable
    #[arg(
        long = "runtime-image",
        env = "AGENTKUBE_RUNTIME_IMAGES",
        value_name = "RUNTIME=IMAGE",
        value_delimiter = ',',
        value_parser = runtime_image
    )]
    runtime_images: Vec<(AgentRuntime, String)>,
}

/// Runs until SIGTERM.
pub(crate) fn main(args: OperatorArgs) -> ExitCode {
    logging::install(
        logging::Format::Json,
        "info,hyper=error,kube=warn,tower=warn",
    );
    process::block_on(async {
        let stop = process::stop_signal()?;
        agentkube_operator::run(args.into(), stop)
            .await
            .map_err(|error| process::chain(&error))
    })
}

impl From<OperatorArgs> for Options {
    fn from(args: OperatorArgs) -> Self {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let identity = args
            .identity
            .or_else(host)
            .map(|name| name.trim().to_owned());
        let defaults = Self::default();
        Self {
            image: args.image,
            image_pull_policy: args.image_pull_policy,
            namespace: args.namespace,
            identity: identity.unwrap_or(defaults.identity),
            webhook_listen: args.webhook_listen,
            webhook_endpoint: match args.webhook_url {
                Some(url) => WebhookEndpoint::Url(url),
                None => WebhookEndpoint::Service {
                    name: args.webhook_service,
                },
            },
            admin_listen: args.admin,
            leader_election: !args.no_leader_election,
            cluster_role: Some(args.cluster_role).filter(|name| !name.is_empty()),
            cluster_domain: args.cluster_domain,
            monitoring_namespaces: args.monitoring_namespaces,
            runtime_images: args.runtime_images.into_iter().collect(),
        }
    }
}

fn runtime_image(text: &str) -> Result<(AgentRuntime, String), String> {
    let (runtime, image) = text.split_once('=').ok_or("write RUNTIME=IMAGE")?;
    let known = serde_json::from_value(json!(runtime)).map_err(|error| error.to_string())?;
    if known == AgentRuntime::Custom || image.is_empty() || image.contains(char::is_whitespace) {
        return Err("Custom has no image of its own; any other runtime needs one".to_owned());
    }
    Ok((known, image.to_owned()))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
