//! Which clients a target has. Everything is recomputed from the Pods and the
//! Agents themselves; what a webhook once wrote on a Pod is not evidence.

use std::collections::BTreeMap;

use agentkube_crds::{Agent, Kind, MCP, keys, names};
use agentkube_webhooks::wire::{self, Missing, Wants, WireRequest};
use agentkube_webhooks::{Found, Lookup, NamespaceFacts, TargetRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use crate::shapes::{PodShape, SecretShape};
use crate::stores::targets_of_mcp;

/// Who owns the Secret with a client's key, in the client's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientOwner {
    /// The Agent of that name.
    Agent(String),
    /// The MCP of that name, which offers the target's tools as its own.
    Mcp(String),
    /// The ServiceAccount of that name.
    ServiceAccount(String),
}

/// The clients of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// Clients whose keys we mint, `namespace/serviceaccount`.
    pub(crate) minted: BTreeMap<String, ClientOwner>,
    /// Key Secrets of this target that have lost their reason: namespace, name.
    pub(crate) ended: Vec<(String, String)>,
    /// Names of the labelled Secrets in the target's own namespace.
    pub(crate) labelled: Vec<String>,
}

/// Where a grant may come from.
pub(crate) struct Sources<'a> {
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) pods: &'a [std::sync::Arc<PodShape>],
    pub(crate) agents: &'a [std::sync::Arc<Agent>],
    pub(crate) mcps: &'a [std::sync::Arc<MCP>],
    pub(crate) secrets: &'a [std::sync::Arc<SecretShape>],
}

impl Grants {
    /// The clients of `target`.
    ///
    /// A ServiceAccount keeps its key while it may call, also when none of its
    /// Pods runs at the moment; an Agent while it refers to the target.
    pub(crate) fn of(target: &TargetRef, sources: &Sources<'_>) -> Self {
        let mut grants = Self::default();
        for pod in sources.pods {
            if let Some((client, owner)) = client_of_pod(pod, target, sources.lookup) {
                grants.minted.entry(client).or_insert(owner);
            }
        }
        for agent in sources.agents {
            if let Some((client, name)) = client_of_agent(agent, target, sources.lookup) {
                grants.minted.insert(client, ClientOwner::Agent(name));
            }
        }
        for mcp in sources.mcps {
            if let Some((client, name)) = client_of_mcp(mcp, target, sources.lookup) {
                grants
                    .minted
                    .entry(client)
                    .or_insert(ClientOwner::Mcp(name));
            }
        }
        for secret in sources.secrets {
            grants.consider(target, &secret.metadata, sources.lookup);
        }
        grants.labelled.sort();
        grants
    }

    fn consider(&mut self, target: &TargetRef, meta: &ObjectMeta, lookup: &dyn Lookup) {
        let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
            return;
        };
        let label = meta
            .labels
            .as_ref()
            .and_then(|labels| labels.get(keys::CLIENT_OF));
        if let Some(label) = label
            && *namespace == target.namespace
            && names::is_client_of(label, target.kind, &target.name)
        {
            self.labelled.push(name.clone());
        }
        if minted_for(meta).as_ref() != Some(target) {
            return;
        }
        let Some((client, owner)) = client_of_key(meta, target) else {
            return;
        };
        if self.minted.contains_key(&client) {
            return;
        }
        let stays = matches!(owner, ClientOwner::ServiceAccount(_))
            && matches!(target.find(namespace, lookup), Found::Usable(_));
        if stays {
            self.minted.insert(client, owner);
        } else {
            self.ended.push((namespace.clone(), name.clone()));
        }
    }
}

/// The targets that an Agent refers to, admitted or not.
pub(crate) fn targets_of_agent(agent: &Agent) -> Vec<TargetRef> {
    let home = agent.metadata.namespace.clone().unwrap_or_default();
    let target = |kind, reference: &agentkube_crds::shared::ObjectRef| TargetRef {
        kind,
        namespace: reference.namespace.clone().unwrap_or_else(|| home.clone()),
        name: reference.name.clone(),
    };
    let gateway = agent
        .spec
        .llm_gateway_ref
        .iter()
        .map(|it| target(Kind::LLMGateway, it));
    gateway
        .chain(agent.spec.mcp_refs.iter().map(|it| target(Kind::MCP, it)))
        .collect()
}

/// The targets that a Pod may be wired to, by its own annotations or its
/// Namespace's; more than it is in the end. Decides only what is looked at.
pub(crate) fn targets_of_pod(pod: &PodShape, namespace: Option<&NamespaceFacts>) -> Vec<TargetRef> {
    let home = pod.metadata.namespace.as_deref().unwrap_or_default();
    let mut targets = Vec::new();
    for (key, kind) in [
        (keys::LLM_GATEWAY, Kind::LLMGateway),
        (keys::MCP, Kind::MCP),
    ] {
        let inherited = namespace.and_then(|facts| facts.annotations.get(key));
        let text = pod
            .annotation(key)
            .or(inherited.map(String::as_str))
            .unwrap_or_default();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let (namespace, name) = name.split_once('/').unwrap_or((home, name));
            targets.push(TargetRef {
                kind,
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            });
        }
    }
    targets
}

/// The target that a Secret with a minted key is for, by its annotation; only
/// when its name is the one that such a Secret must have.
pub(crate) fn minted_for(meta: &ObjectMeta) -> Option<TargetRef> {
    let annotations = meta.annotations.as_ref()?;
    let client = annotations.get(keys::CLIENT)?;
    let mut parts = annotations.get(keys::TARGET)?.splitn(3, '/');
    let (kind, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = match kind {
        "llmgateway" => Kind::LLMGateway,
        "mcp" => Kind::MCP,
        _ => return None,
    };
    let target = TargetRef {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    (meta.name.as_deref() == Some(&secret_name(client, &target))).then_some(target)
}

/// The name of the Secret with the key of `client` for `target`.
pub(crate) fn secret_name(client: &str, target: &TargetRef) -> String {
    names::client_key_secret(client, target.kind, &target.namespace, &target.name)
}

/// The client of a minted key, as its name and its owner agree on it.
fn client_of_key(meta: &ObjectMeta, target: &TargetRef) -> Option<(String, ClientOwner)> {
    let client = meta.annotations.as_ref()?.get(keys::CLIENT)?;
    let (namespace, account) = client.split_once('/')?;
    if meta.namespace.as_deref() != Some(namespace)
        || meta.name.as_deref() != Some(&secret_name(client, target))
    {
        return None;
    }
    let owner = meta.owner_references.iter().flatten().find_map(|owner| {
        match (owner.kind.as_str(), owner.name == account) {
            ("Agent", true) => Some(ClientOwner::Agent(account.to_owned())),
            ("MCP", true) => Some(ClientOwner::Mcp(account.to_owned())),
            ("ServiceAccount", true) => Some(ClientOwner::ServiceAccount(account.to_owned())),
            _ => None,
        }
    })?;
    Some((client.clone(), owner))
}

fn client_of_pod(
    pod: &PodShape,
    target: &TargetRef,
    lookup: &dyn Lookup,
) -> Option<(String, ClientOwner)> {
    let namespace = pod.metadata.namespace.as_deref()?;
    // The Pod of an Agent is that Agent's business.
    if pod.is_over() || pod.label(keys::OF_AGENT).is_some() {
        return None;
    }
    let facts = lookup.namespace(namespace);
    if !targets_of_pod(pod, facts.as_ref()).contains(target) {
        return None;
    }
    let account = pod.service_account();
    let value = json!({
        "metadata": { "labels": pod.metadata.labels, "annotations": pod.metadata.annotations },
        "spec": { "serviceAccountName": account },
    });
    if !wire::is_wired(&value, facts.as_ref()) {
        return None;
    }
    let request = WireRequest {
        namespace,
        pod: &value,
        wants: Wants::Annotated,
        missing: Missing::Denied,
    };
    let wiring = wire::wire(&request, lookup).wiring?;
    let wired = wiring
        .gateway
        .iter()
        .chain(&wiring.mcps)
        .any(|it| it.reference == *target);
    wired.then(|| {
        (
            wiring.client,
            ClientOwner::ServiceAccount(account.to_owned()),
        )
    })
}

fn client_of_agent(
    agent: &Agent,
    target: &TargetRef,
    lookup: &dyn Lookup,
) -> Option<(String, String)> {
    let (namespace, name) = (
        agent.metadata.namespace.as_deref()?,
        agent.metadata.name.as_deref()?,
    );
    if agent.metadata.deletion_timestamp.is_some() || !targets_of_agent(agent).contains(target) {
        return None;
    }
    admitted(target, namespace, lookup)?;
    Some((format!("{namespace}/{name}"), name.to_owned()))
}

/// An MCP that calls another one over the network: of another namespace. Within
/// one, it stands in for it.
fn client_of_mcp(mcp: &MCP, target: &TargetRef, lookup: &dyn Lookup) -> Option<(String, String)> {
    let (namespace, name) = (
        mcp.metadata.namespace.as_deref()?,
        mcp.metadata.name.as_deref()?,
    );
    if mcp.metadata.deletion_timestamp.is_some()
        || namespace == target.namespace
        || !targets_of_mcp(mcp).contains(target)
    {
        return None;
    }
    admitted(target, namespace, lookup)?;
    Some((format!("{namespace}/{name}"), name.to_owned()))
}

fn admitted(target: &TargetRef, namespace: &str, lookup: &dyn Lookup) -> Option<()> {
    matches!(target.find(namespace, lookup), Found::Usable(_)).then_some(())
}
