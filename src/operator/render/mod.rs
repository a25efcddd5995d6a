//! From a plan to the objects that serve it. Pure: the same plan gives the same
//! bytes, so that an unchanged object is never written.

mod agent;
mod child;
mod config_map;
mod deployment;
mod labels;
mod network_policy;
mod pod;
mod programs;
mod service;
mod supervised;
#[cfg(test)]
mod tests;

pub(crate) use agent::{Replicas, agent_account, agent_pod, agent_set};
pub(crate) use child::{Child, ChildKind, Owner};
pub(crate) use config_map::client_table;
pub(crate) use supervised::supervised;

use std::collections::{BTreeMap, BTreeSet};

use agentkube_crds::Kind;
use agentkube_crds::agent::AgentRuntime;
use agentkube_crds::shared::PodTemplate;
use agentkube_plan::SecretEntry;

use crate::Options;
use crate::resolve::Program;

/// What the installation decides for every data plane.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) image: String,
    pub(crate) image_pull_policy: Option<String>,
    /// The operator's namespace: it reads the admin port.
    pub(crate) own_namespace: String,
    /// Label of namespaces that may scrape the admin port too.
    pub(crate) monitoring: Option<(String, String)>,
    /// The images of Agents that name none.
    pub(crate) runtime_images: BTreeMap<AgentRuntime, String>,
}

impl From<&Options> for Settings {
    fn from(options: &Options) -> Self {
        Self {
            image: options.image.clone(),
            image_pull_policy: options.image_pull_policy.clone(),
            own_namespace: options.namespace.clone(),
            monitoring: options.monitoring_namespaces.clone(),
            runtime_images: options.runtime_images.clone(),
        }
    }
}

/// One gateway or proxy, resolved, in the words of Kubernetes.
#[derive(Clone, Debug)]
pub(crate) struct DataPlane<'a> {
    /// LLMGateway or MCP.
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    /// Name of the LLMGateway or MCP.
    pub(crate) object: &'a str,
    pub(crate) port: u16,
    pub(crate) replicas: u32,
    pub(crate) pod_template: Option<&'a PodTemplate>,
    /// The bytes of `plan.json`.
    pub(crate) plan: &'a str,
    /// Digest of those bytes.
    pub(crate) digest: String,
    /// The entries that the plan names, to be mounted.
    pub(crate) secrets: &'a BTreeSet<SecretEntry>,
    /// False with `auth.mode: none`: there is no client table.
    pub(crate) has_clients: bool,
    /// Upstreams that are programs.
    pub(crate) programs: &'a [Program],
    /// Stands for the Secrets in the environments of those.
    pub(crate) environment: Option<&'a str>,
}

/// The children of a data plane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desired {
    /// To be applied, in this order.
    pub(crate) children: Vec<Child>,
    /// To be removed if it is there.
    pub(crate) unwanted: Vec<Child>,
}

/// All children but the client table, whose contents are not part of the plan.
pub(crate) fn data_plane(settings: &Settings, plane: &DataPlane<'_>) -> Desired {
    let mut for_several = vec![service::disruption_budget(plane)];
    if plane.kind == Kind::MCP {
        for_several.push(service::peers(plane));
    }
    let mut children = vec![
        config_map::plan(plane),
        service::account(plane),
        network_policy::ingress(settings, plane),
        service::service(plane),
        deployment::deployment(settings, plane),
    ];
    let mut unwanted = Vec::new();
    if plane.replicas > 1 {
        children.extend(for_several);
    } else {
        unwanted.extend(for_several);
    }
    Desired { children, unwanted }
}
