//! An Agent's Pod, wired: the same for the operator and `agentkube explain`.

use agentkube_crds::{Agent, CheckedAgent, Kind};
use agentkube_plan::ObjectName;
use agentkube_webhooks::wire::{Missing, Wants, WireRequest, Wired, wire};
use agentkube_webhooks::{Lookup, TargetRef};
use serde_json::{Value, json};

use crate::Options;
use crate::render::{self, Settings};

/// What the Pod of an Agent of `namespace` would be given. An Agent that is not
/// valid is not wired; its errors say why.
#[must_use]
pub fn wire_agent(agent: &Agent, namespace: &str, lookup: &dyn Lookup) -> Wired {
    let mut agent = agent.clone();
    agent.metadata.namespace = Some(namespace.to_owned());
    match agent.parse() {
        Ok(checked) => {
            let image = checked.image.clone().unwrap_or_default();
            let pod = render::agent_pod(&Settings::from(&Options::default()), &checked, &image);
            wire_pod(&checked, &pod, lookup)
        }
        Err(errors) => Wired {
            pod: json!({}),
            wiring: None,
            errors,
            warnings: Vec::new(),
        },
    }
}

/// Wires the Pod that was rendered for an Agent.
pub(crate) fn wire_pod(agent: &CheckedAgent, pod: &Value, lookup: &dyn Lookup) -> Wired {
    let target = |kind: Kind| {
        move |object: &ObjectName| TargetRef {
            kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    };
    let wants = Wants::Agent {
        gateway: agent.gateway.as_ref().map(target(Kind::LLMGateway)),
        mcps: agent.mcps.iter().map(target(Kind::MCP)).collect(),
        model: agent.model.clone(),
        runtime: agent.runtime,
    };
    let namespace = &agent.object.namespace;
    wire(
        &WireRequest {
            namespace,
            pod,
            wants,
            missing: Missing::Denied,
        },
        lookup,
    )
}
