//! Which objects of ours a change concerns.
//!
//! Marking too much costs a look that finds nothing to do; marking too little
//! costs the truth. So where it is cheap to decide it is decided, else marked.

use agentkube_crds::mcp::pins::Pins;
use agentkube_crds::shared::{AllowedNamespaces, NamespacesFrom};
use agentkube_crds::{Agent, Kind, LLMGateway, MCP, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use kube::runtime::reflector::ObjectRef;

use super::Stores;
use super::referrers::targets;
use super::watch::Change;
use crate::clients::{minted_for, targets_of_agent, targets_of_pod};
use crate::shapes::{NamespaceShape, PodShape, SecretShape};

impl Stores {
    pub(super) fn gateway_changed(&self, change: Change<'_, LLMGateway>) {
        if let Some(gateway) = change.states().next() {
            self.mark_meta(Kind::LLMGateway, &gateway.metadata);
            // Of its status an Agent reads nothing.
            if change.before.map(|it| &it.spec) != change.after.map(|it| &it.spec) {
                self.mark_agents_of(Kind::LLMGateway, &gateway.metadata);
            }
        }
    }

    pub(super) fn mcp_changed(&self, change: Change<'_, MCP>) {
        if let Some(mcp) = change.states().next() {
            self.mark_meta(Kind::MCP, &mcp.metadata);
            // Those that stand in for it hold its tools to its pins.
            let pins = |mcp: Option<&MCP>| Pins::of(mcp.and_then(|mcp| mcp.status.as_ref()));
            if pins(change.before) != pins(change.after) {
                self.mark_mcp(&mcp.metadata);
            }
            if change.before.map(|it| &it.spec) != change.after.map(|it| &it.spec) {
                self.mark_agents_of(Kind::MCP, &mcp.metadata);
                self.mark_mcp(&mcp.metadata);
                for target in change.states().flat_map(targets) {
                    self.dirty.mark(Kind::MCP, &target.namespace, &target.name);
                }
            }
        }
    }

    pub(super) fn agent_changed(&self, change: Change<'_, Agent>) {
        for agent in change.states() {
            self.mark_meta(Kind::Agent, &agent.metadata);
            for target in targets_of_agent(agent) {
                self.dirty
                    .mark(target.kind, &target.namespace, &target.name);
            }
        }
    }

    /// Labels decide grants, annotations decide the wiring of Pods.
    pub(super) fn namespace_changed(&self, change: Change<'_, NamespaceShape>) {
        let facts = |shape: Option<&NamespaceShape>| shape.map(NamespaceShape::facts);
        if facts(change.before) == facts(change.after) {
            return;
        }
        let Some(name) = change
            .states()
            .next()
            .and_then(|shape| shape.metadata.name.clone())
        else {
            return;
        };
        for pod in self
            .pods
            .state_filter(|pod| pod.metadata.namespace.as_deref() == Some(&name))
        {
            for namespace in change.states() {
                self.mark_targets_of_pod(&pod, Some(namespace));
            }
        }
        let by_label = |allowed: &AllowedNamespaces| allowed.from == NamespacesFrom::Selector;
        for gateway in self
            .gateways
            .state_filter(|it| by_label(&it.spec.allowed_namespaces))
        {
            self.mark_meta(Kind::LLMGateway, &gateway.metadata);
        }
        for mcp in self
            .mcps
            .state_filter(|it| by_label(&it.spec.allowed_namespaces))
        {
            self.mark_meta(Kind::MCP, &mcp.metadata);
        }
        self.mark_referrers_in(&name);
        for agent in self
            .agents
            .state_filter(|it| it.metadata.namespace.as_deref() == Some(&name))
        {
            self.mark_meta(Kind::Agent, &agent.metadata);
        }
    }

    pub(super) fn secret_changed(&self, change: Change<'_, SecretShape>) {
        for secret in change.states() {
            self.mark_by_labels(&secret.metadata);
            if let Some(target) = minted_for(&secret.metadata) {
                self.dirty
                    .mark(target.kind, &target.namespace, &target.name);
                self.mark_holder(&secret.metadata);
            }
        }
        let Some(meta) = change.states().next().map(|secret| &secret.metadata) else {
            return;
        };
        let client_of = change
            .states()
            .filter_map(|it| it.metadata.labels.as_ref()?.get(keys::CLIENT_OF).cloned())
            .collect::<Vec<_>>();
        let is_client = |kind, name: Option<&String>| {
            name.is_some_and(|name| {
                client_of
                    .iter()
                    .any(|label| agentkube_crds::names::is_client_of(label, kind, name))
            })
        };
        for gateway in self
            .gateways
            .state_filter(|it| it.metadata.namespace == meta.namespace)
        {
            let named = |name: &str| meta.name.as_deref() == Some(name);
            let refers = gateway.spec.upstreams.iter().any(|up| {
                up.credentials_ref
                    .as_ref()
                    .is_some_and(|it| named(&it.name))
            });
            if refers || is_client(Kind::LLMGateway, gateway.metadata.name.as_ref()) {
                self.mark_meta(Kind::LLMGateway, &gateway.metadata);
            }
        }
        for mcp in self
            .mcps
            .state_filter(|it| it.metadata.namespace == meta.namespace)
        {
            let named = |name: &str| meta.name.as_deref() == Some(name);
            let refers = mcp.spec.upstreams.iter().any(|up| {
                up.auth
                    .secret_ref
                    .as_ref()
                    .is_some_and(|it| named(&it.name))
            });
            if refers || is_client(Kind::MCP, mcp.metadata.name.as_ref()) {
                self.mark_mcp(&mcp.metadata);
            }
        }
    }

    pub(super) fn pod_changed(&self, change: Change<'_, PodShape>) {
        for pod in change.states() {
            self.mark_by_labels(&pod.metadata);
        }
        // Most changes of a Pod are of its status, and say nothing of clients.
        if change.before.map(PodShape::identity) == change.after.map(PodShape::identity) {
            return;
        }
        for pod in change.states() {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let namespace = self.namespaces.get(&ObjectRef::new(namespace));
            self.mark_targets_of_pod(pod, namespace.as_deref());
        }
    }

    pub(super) fn child_changed(&self, change: &Change<'_, DynamicObject>) {
        if let Some(child) = change.states().next() {
            self.mark_by_labels(&child.metadata);
        }
    }

    fn mark_mcp(&self, meta: &ObjectMeta) {
        if let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) {
            self.mark_mcp_and_referrers(namespace, name);
        }
    }

    /// The MCP that calls another one with the key of this Secret mounts it, and
    /// so do those that stand in for it.
    fn mark_holder(&self, meta: &ObjectMeta) {
        let client = meta
            .annotations
            .as_ref()
            .and_then(|all| all.get(keys::CLIENT));
        let Some((namespace, name)) = client.and_then(|client| client.split_once('/')) else {
            return;
        };
        let holder = ObjectRef::new(name).within(namespace);
        if self
            .mcps
            .get(&holder)
            .is_some_and(|mcp| !targets(&mcp).is_empty())
        {
            self.mark_mcp_and_referrers(namespace, name);
        }
    }

    fn mark_targets_of_pod(&self, pod: &PodShape, namespace: Option<&NamespaceShape>) {
        for target in targets_of_pod(pod, namespace.map(NamespaceShape::facts).as_ref()) {
            self.dirty
                .mark(target.kind, &target.namespace, &target.name);
        }
    }

    /// The object whose child carries these labels.
    fn mark_by_labels(&self, meta: &ObjectMeta) {
        let (Some(labels), Some(namespace)) = (&meta.labels, &meta.namespace) else {
            return;
        };
        let (managed_by, us) = keys::MANAGED_BY;
        if labels.get(managed_by).is_none_or(|by| by != us) {
            return;
        }
        for (label, kind) in [
            (keys::OF_LLM_GATEWAY, Kind::LLMGateway),
            (keys::OF_MCP, Kind::MCP),
            (keys::OF_AGENT, Kind::Agent),
        ] {
            if let Some(name) = labels.get(label) {
                self.dirty.mark(kind, namespace, name);
            }
        }
    }

    fn mark_agents_of(&self, kind: Kind, meta: &ObjectMeta) {
        for agent in self.agents.state() {
            let refers = targets_of_agent(&agent).iter().any(|target| {
                target.kind == kind
                    && Some(&target.namespace) == meta.namespace.as_ref()
                    && Some(&target.name) == meta.name.as_ref()
            });
            if refers {
                self.mark_meta(Kind::Agent, &agent.metadata);
            }
        }
    }

    pub(super) fn mark_meta(&self, kind: Kind, meta: &ObjectMeta) {
        if let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) {
            self.dirty.mark(kind, namespace, name);
        }
    }
}
