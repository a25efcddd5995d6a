//! The checks that neither the schema nor CEL can make, or can only make badly.
//!
//! One file an idea. A check reads a [`Subject`] and adds to [`Findings`]; it
//! never stops at the first finding and never assumes that another part of the
//! object is well formed.

mod access;
mod agent;
mod duplicates;
mod grants;
mod limits;
mod models;
mod names;
mod secrets;
mod stdio;
mod tools;
mod update;
mod urls;

use agentkube_crds::{Kind, keys};
use serde_json::Value;

use crate::findings::Findings;
use crate::lookup::Lookup;
use crate::node::Node;
use crate::{Install, Mode};

pub(crate) use secrets::names as secret_names;
pub(crate) use update::port_changed;

/// The object under check and what is known around it.
pub(crate) struct Subject<'a> {
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    pub(crate) root: Node<'a>,
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) install: &'a Install,
    /// The namespace carries `agentkube.io/strict: "true"`.
    pub(crate) strict: bool,
}

/// Runs every check of the kind.
pub(crate) fn run(subject: &Subject<'_>, out: &mut Findings) {
    let checks: &[fn(&Subject<'_>, &mut Findings)] = match subject.kind {
        Kind::MCP => &[
            names::check,
            stdio::check,
            urls::check,
            tools::check,
            access::check,
            secrets::check,
            grants::check,
        ],
        Kind::LLMGateway => &[
            names::check,
            duplicates::aliases,
            urls::check,
            models::check,
            secrets::check,
            limits::check,
        ],
        Kind::Agent => &[names::check, secrets::check, grants::check, agent::check],
        // Refused whole, as long as policies are not enforced.
        Kind::AgentPolicy => &[],
    };
    for check in checks {
        check(subject, out);
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        kind: Kind,
        namespace: &'a str,
        object: &'a Value,
        lookup: &'a dyn Lookup,
        install: &'a Install,
    ) -> Self {
        let strict = is_strict(namespace, lookup);
        Self {
            kind,
            namespace,
            root: Node::root(object),
            lookup,
            install,
            strict,
        }
    }

    pub(crate) fn spec(&self) -> Node<'a> {
        self.root.get("spec")
    }

    fn name(&self) -> &'a str {
        self.root
            .get("metadata")
            .get("name")
            .text()
            .unwrap_or_default()
    }

    fn upstreams(&self) -> Vec<Node<'a>> {
        self.spec().get("upstreams").items().collect()
    }

    fn is_local(&self) -> bool {
        self.install.mode == Mode::Local
    }
}

/// True when missing references are denials in this namespace.
pub(crate) fn is_strict(namespace: &str, lookup: &dyn Lookup) -> bool {
    // An object of the cluster has none.
    if namespace.is_empty() {
        return false;
    }
    lookup.namespace(namespace).is_some_and(|facts| {
        facts
            .labels
            .get(keys::STRICT)
            .is_some_and(|value| value == "true")
    })
}

#[cfg(test)]
mod tests;
