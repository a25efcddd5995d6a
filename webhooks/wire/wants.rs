//! What a Pod is to be wired to, as written in annotations or in an Agent.

use agentkube_crds::agent::AgentRuntime;
use agentkube_crds::{FieldError, Kind, Reason, keys, names};
use serde_json::Value;

use super::WireRequest;
use crate::findings::Findings;
use crate::lookup::{Lookup, NamespaceFacts};
use crate::node::Node;
use crate::target::TargetRef;

/// Where it is said what a Pod is wired to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// In the annotations of the Pod, else of its Namespace.
    Annotated,
    /// In the spec of an Agent.
    Agent {
        /// `llmGatewayRef`.
        gateway: Option<TargetRef>,
        /// `mcpRefs`.
        mcps: Vec<TargetRef>,
        /// `model.name`.
        model: Option<String>,
        /// `runtime`.
        runtime: AgentRuntime,
    },
}

/// True when a Pod is to be wired: it says so, or its Namespace does and the
/// Pod does not object.
#[must_use]
pub fn is_wired(pod: &Value, namespace: Option<&NamespaceFacts>) -> bool {
    let said = Node::root(pod)
        .get("metadata")
        .get("labels")
        .entry(keys::WIRE);
    match said.text() {
        Some("true") => true,
        Some("false") => false,
        _ => namespace
            .is_some_and(|facts| facts.labels.get(keys::WIRE).is_some_and(|it| it == "true")),
    }
}

/// What was found to be wanted.
#[derive(Default)]
pub(super) struct Wanted {
    gateway: Option<Named>,
    mcps: Vec<Named>,
    pub(super) model: Option<String>,
}

/// A target and the field that names it.
pub(super) struct Named {
    pub(super) target: TargetRef,
    pub(super) field: String,
}

impl Wanted {
    pub(super) fn refs(&self) -> impl Iterator<Item = &Named> {
        self.gateway.iter().chain(&self.mcps)
    }
}

pub(super) fn read(request: &WireRequest<'_>, lookup: &dyn Lookup, found: &mut Findings) -> Wanted {
    let mut wanted = match &request.wants {
        Wants::Annotated => annotated(request, lookup, found),
        Wants::Agent {
            gateway,
            mcps,
            model,
            ..
        } => {
            let named = |field: String| move |target: TargetRef| Named { target, field };
            Wanted {
                gateway: gateway.clone().map(named("spec.llmGatewayRef".to_owned())),
                mcps: mcps
                    .iter()
                    .enumerate()
                    .map(|(index, mcp)| named(format!("spec.mcpRefs[{index}]"))(mcp.clone()))
                    .collect(),
                model: model.clone(),
            }
        }
    };
    distinct(&mut wanted, found);
    wanted
}

fn annotated(request: &WireRequest<'_>, lookup: &dyn Lookup, found: &mut Findings) -> Wanted {
    let own = Node::root(request.pod).get("metadata").get("annotations");
    // The Namespace is asked for only when the Pod leaves something to it.
    let complete = own.entry(keys::LLM_GATEWAY).is_set() && own.entry(keys::MCP).is_set();
    let inherited = if complete {
        None
    } else {
        lookup.namespace(request.namespace)
    };
    let read = |key: &str| -> Option<String> {
        own.entry(key).text().map(str::to_owned).or_else(|| {
            inherited
                .as_ref()
                .and_then(|facts| facts.annotations.get(key).cloned())
        })
    };
    let parse = |key: &str, kind: Kind, found: &mut Findings| -> Vec<Named> {
        let text = read(key).unwrap_or_default();
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let field = own.entry(key).path().to_owned();
        names
            .filter_map(|name| one(name, kind, &field, request.namespace, found))
            .collect()
    };
    let before = found.errors.len();
    let mut gateways = parse(keys::LLM_GATEWAY, Kind::LLMGateway, found);
    let mcps = parse(keys::MCP, Kind::MCP, found);
    if gateways.len() > 1 {
        let field = own.entry(keys::LLM_GATEWAY);
        found.error(
            &field,
            Reason::TooMany,
            "a Pod is wired to one gateway: name one",
        );
        gateways.truncate(1);
    }
    if gateways.is_empty() && mcps.is_empty() && found.errors.len() == before {
        let message = format!(
            "the Pod is to be wired, and neither it nor its namespace says to what: set {} or {}",
            keys::LLM_GATEWAY,
            keys::MCP
        );
        found.error(&own, Reason::Required, message);
    }
    Wanted {
        gateway: gateways.into_iter().next(),
        mcps,
        model: None,
    }
}

/// `[namespace/]name`.
fn one(name: &str, kind: Kind, field: &str, home: &str, found: &mut Findings) -> Option<Named> {
    let (namespace, name) = name.split_once('/').unwrap_or((home, name));
    let legal = |part: &str| !part.is_empty() && !part.contains('/');
    if !legal(namespace) || !names::is_dns1035(name) {
        let message = format!("write [namespace/]name of an {kind}");
        found
            .errors
            .push(FieldError::new(field, Reason::Invalid, message));
        return None;
    }
    let target = TargetRef {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    Some(Named {
        target,
        field: field.to_owned(),
    })
}

/// Variables are named after the MCP alone, so one name must be one MCP. The
/// same MCP named twice is one.
fn distinct(wanted: &mut Wanted, found: &mut Findings) {
    let mut kept: Vec<Named> = Vec::new();
    for named in std::mem::take(&mut wanted.mcps) {
        let rival = kept
            .iter()
            .find(|other| other.target.name == named.target.name);
        match rival {
            None => kept.push(named),
            Some(other) if other.target == named.target => {}
            Some(other) => {
                let message = format!(
                    "{}/{} and {}/{} give the same variables {}_…: keep one",
                    other.target.namespace,
                    other.target.name,
                    named.target.namespace,
                    named.target.name,
                    super::mcp_prefix(&named.target.name)
                );
                found
                    .errors
                    .push(FieldError::new(named.field, Reason::Duplicate, message));
            }
        }
    }
    wanted.mcps = kept;
}
