//! What the command line decides for the operator.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use agentkube_crds::agent::AgentRuntime;

use crate::listen::any;

/// Name of the Secret with the webhooks' CA, in the operator's namespace.
pub const CA_SECRET: &str = "agentkube-webhook-ca";
/// Port of the Service through which the API server reaches the webhooks.
pub const SERVICE_PORT: u16 = 443;

/// How one operator process runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Image of the data planes and of the shim in agents: our own.
    pub image: String,
    /// `imagePullPolicy` of those containers; absent = the cluster's default.
    pub image_pull_policy: Option<String>,
    /// The namespace that the operator runs in (its Lease and its CA Secret).
    pub namespace: String,
    /// Name of this process in the Lease and in Events, unique among replicas
    /// (in a cluster: the Pod's name).
    pub identity: String,
    /// Address of the webhook server.
    pub webhook_listen: SocketAddr,
    /// How the API server reaches the webhook server.
    pub webhook_endpoint: WebhookEndpoint,
    /// Address of the admin server: `/livez /readyz /metrics`.
    pub admin_listen: SocketAddr,
    /// False: this process is the only one and writes at once.
    pub leader_election: bool,
    /// ClusterRole that owns the webhook configurations, so that they go when
    /// the installation goes; one that does not exist owns nothing.
    pub cluster_role: Option<String>,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Label selector of the namespaces that may scrape port 9090 of the data
    /// planes, besides the operator's own, as `key=value`.
    pub monitoring_namespaces: Option<(String, String)>,
    /// The images of Agents that name none, by runtime (`runtimes.<name>.image`).
    pub runtime_images: BTreeMap<AgentRuntime, String>,
}

/// How the API server reaches the webhook server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEndpoint {
    /// Through this Service in the operator's namespace, at [`SERVICE_PORT`].
    Service {
        /// Name of the Service.
        name: String,
    },
    /// At this base URL (`https://127.0.0.1:9443`); for an operator that runs
    /// beside the API server.
    Url(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: "agentkube:dev".to_owned(),
            image_pull_policy: None,
            namespace: "agentkube-system".to_owned(),
            identity: "agentkube".to_owned(),
            webhook_listen: any(9443),
            webhook_endpoint: WebhookEndpoint::Service {
                name: "agentkube-webhooks".to_owned(),
            },
            admin_listen: any(9090),
            leader_election: true,
            cluster_role: Some("agentkube".to_owned()),
            cluster_domain: "cluster.local".to_owned(),
            monitoring_namespaces: None,
            runtime_images: BTreeMap::new(),
        }
    }
}
