//! References to other objects of ours: whether they exist and admit us.

use agentkube_crds::shared::AuthMode;
use agentkube_crds::{Kind, Reason};

use super::Subject;
use crate::cycle;
use crate::findings::Findings;
use crate::node::Node;
use crate::target::{Found, Target, TargetRef};
use crate::wire::{CUSTOM, no_tokens};

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    match subject.kind {
        Kind::MCP => {
            for upstream in subject.upstreams() {
                let node = upstream.get("mcpRef");
                reference(subject, &node, Kind::MCP, out);
                ring(subject, &node, out);
            }
        }
        Kind::Agent => {
            reference(subject, &spec.get("llmGatewayRef"), Kind::LLMGateway, out);
            for node in spec.get("mcpRefs").items() {
                reference(subject, &node, Kind::MCP, out);
            }
        }
        Kind::LLMGateway | Kind::AgentPolicy => {}
    }
}

/// The object that a reference names, whether or not it exists.
pub(super) fn target(subject: &Subject<'_>, node: &Node<'_>, kind: Kind) -> Option<TargetRef> {
    let name = node.get("name").text().filter(|name| !name.is_empty())?;
    let namespace = node.get("namespace").text().unwrap_or(subject.namespace);
    Some(TargetRef {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// An MCP that leads back to itself has no tools of its own to offer.
fn ring(subject: &Subject<'_>, node: &Node<'_>, out: &mut Findings) {
    let Some(target) = target(subject, node, Kind::MCP) else {
        return;
    };
    let object = TargetRef {
        kind: Kind::MCP,
        namespace: subject.namespace.to_owned(),
        name: subject.name().to_owned(),
    };
    if let Some(way) = cycle::way_back(&object, &target, subject.lookup) {
        let message = format!(
            "MCPs must not refer to each other in a ring: {}",
            cycle::printed(&object, &way)
        );
        out.error(node, Reason::Invalid, message);
    }
}

fn reference(subject: &Subject<'_>, node: &Node<'_>, kind: Kind, out: &mut Findings) {
    let Some(target) = target(subject, node, kind) else {
        return;
    };
    let name = format!("{} \"{}/{}\"", kind.as_str(), target.namespace, target.name);
    match target.find(subject.namespace, subject.lookup) {
        Found::Usable(target) => reaching(subject, node, &name, &target, out),
        Found::Missing => {
            let message = format!("{name} does not exist yet");
            out.missing(subject.strict, &node.get("name"), message);
        }
        Found::Refused(grant) => {
            let message = format!(
                "{name} does not admit namespace {:?}: {grant}",
                subject.namespace
            );
            out.error(node, Reason::Forbidden, message);
        }
        Found::Undecided(_) => {
            let message = format!(
                "whether {name} admits namespace {:?} is up to its labels",
                subject.namespace
            );
            out.warn(node, Reason::Forbidden, message);
        }
    }
}

/// Who wants tokens of ServiceAccounts is not reached by who has none to show.
fn reaching(
    subject: &Subject<'_>,
    node: &Node<'_>,
    name: &str,
    target: &Target,
    out: &mut Findings,
) {
    if target.auth != AuthMode::ServiceAccount {
        return;
    }
    let spec = subject.spec();
    let message = match (subject.kind, spec.get("runtime").text()) {
        (Kind::Agent, Some(runtime)) if runtime != CUSTOM => no_tokens(runtime),
        // Within a namespace nothing is called: one MCP stands in for the other.
        (Kind::MCP, _) if target.reference.namespace != subject.namespace => {
            "wants tokens of ServiceAccounts (auth.mode serviceAccount), and an MCP has none: \
             use one with auth.mode apikey"
                .to_owned()
        }
        _ => return,
    };
    out.error(node, Reason::NotSupported, format!("{name} {message}"));
}
