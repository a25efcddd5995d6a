//! What the requester must be allowed to do beside writing the object.
//!
//! Whoever writes a reference to a Secret has its value sent to a place that they
//! name, and whoever names a program has it run: so they must be allowed to read
//! that Secret, and to create Pods there. It is asked when the reference, or
//! anything that decides where the value goes or what runs, is new or changed.

use std::collections::BTreeMap;

use agentkube_crds::{FieldError, Kind, Reason, defaults};
use serde_json::Value;

use crate::admit::Admit;
use crate::checks::{Subject, secret_names};
use crate::lookup::Lookup;
use crate::node::Node;
use crate::{Install, Mode};

/// What of an upstream decides where a credential goes, or what runs.
const OF_UPSTREAM: &[&str] = &[
    "apiVersion",
    "auth",
    "credentialsRef",
    "endpoint",
    "kind",
    "location",
    "project",
    "provider",
    "region",
    "stdio",
    "transport",
];

/// The same of an Agent.
const OF_AGENT: &[&str] = &[
    "agentToken",
    "args",
    "command",
    "env",
    "image",
    "mode",
    "runtime",
];

/// A right, as the API server's authorizers know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To create Pods in this namespace.
    CreatePods {
        /// The namespace.
        namespace: String,
    },
    /// To get a Secret.
    GetSecret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// The requester, as the API server authenticated them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Who it is.
    pub name: String,
    /// Their UID, when there is one.
    pub uid: Option<String>,
    /// What they belong to.
    pub groups: Vec<String>,
    /// What else authentication said of them.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The rights that a request needs, each with the fields that need it.
pub(crate) type Needed = BTreeMap<Right, Vec<String>>;

impl Right {
    /// What is said of who does not have it.
    pub(crate) fn refusal(&self, user: &User) -> String {
        let user = &user.name;
        match self {
            Self::CreatePods { namespace } => format!(
                "{user:?} may not create Pods in namespace {namespace:?}, and this runs in one there"
            ),
            Self::GetSecret { namespace, name } => format!(
                "{user:?} may not get Secret {name:?} in namespace {namespace:?}, and this uses it"
            ),
        }
    }
}

impl Right {
    /// What is asked about the requester.
    pub(crate) fn question(&self) -> String {
        match self {
            Self::CreatePods { namespace } => {
                format!("you may create Pods in namespace {namespace:?}")
            }
            Self::GetSecret { namespace, name } => {
                format!("you may get Secret {name:?} in namespace {namespace:?}")
            }
        }
    }
}

/// What this request needs; nothing where there is no cluster to ask.
pub(crate) fn needed(request: &Admit<'_>, lookup: &dyn Lookup, install: &Install) -> Needed {
    let mut needed = Needed::new();
    if install.mode == Mode::Local {
        return needed;
    }
    let new = defaults(request.kind, request.new);
    let old = request.old.map(|old| defaults(request.kind, old));
    let subject = Subject::new(request.kind, request.namespace, &new, lookup, install);
    let changed = Changed {
        spec: subject.spec(),
        before: old.as_ref().map(|old| Node::root(old).get("spec")),
    };
    let blocks = changed.blocks(request.kind);
    let inside = |path: &str| blocks.iter().any(|block| holds(block, path));
    for (path, name) in secret_names(&subject) {
        if inside(&path) {
            let (namespace, name) = (request.namespace.to_owned(), name.to_owned());
            let right = Right::GetSecret { namespace, name };
            needed.entry(right).or_default().push(path);
        }
    }
    for path in changed.runs(request.kind, &blocks) {
        let namespace = request.namespace.to_owned();
        let right = Right::CreatePods { namespace };
        needed.entry(right).or_default().push(path);
    }
    needed
}

/// What denies, when the requester does not have the right.
pub(crate) fn denied(right: &Right, fields: &[String], message: &str) -> Vec<FieldError> {
    let reason = match right {
        Right::CreatePods { .. } | Right::GetSecret { .. } => Reason::Forbidden,
    };
    let fields = fields.iter();
    fields
        .map(|field| FieldError::new(field, reason, message))
        .collect()
}

/// A spec and the one before it.
struct Changed<'v> {
    spec: Node<'v>,
    before: Option<Node<'v>>,
}

impl<'v> Changed<'v> {
    /// The paths of those parts whose credentials may go elsewhere than before, or
    /// in which something else may run.
    fn blocks(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::MCP | Kind::LLMGateway => {
                let upstreams = self.spec.get("upstreams");
                let mut blocks: Vec<String> = upstreams
                    .items()
                    .filter(|upstream| self.upstream_changed(upstream))
                    .map(|upstream| upstream.path().to_owned())
                    .collect();
                let redis = |spec: &Node<'v>| spec.get("state").get("redis").value().cloned();
                if self.before.as_ref().map(redis) != Some(redis(&self.spec)) {
                    blocks.push(self.spec.get("state").get("redis").path().to_owned());
                }
                blocks
            }
            Kind::Agent => {
                let now = &self.spec;
                let same = self
                    .before
                    .as_ref()
                    .is_some_and(|old| same(old, now, OF_AGENT));
                if same {
                    Vec::new()
                } else {
                    vec![now.path().to_owned()]
                }
            }
            Kind::AgentPolicy => Vec::new(),
        }
    }

    fn upstream_changed(&self, upstream: &Node<'v>) -> bool {
        let name = upstream.get("name").text();
        let before = self.before.as_ref().and_then(|before| {
            let mut all = before.get("upstreams").items();
            all.find(|old| old.get("name").text() == name)
        });
        before.is_none_or(|old| !same(&old, upstream, OF_UPSTREAM))
    }

    /// The fields that have something run.
    fn runs(&self, kind: Kind, blocks: &[String]) -> Vec<String> {
        let mut fields = Vec::new();
        match kind {
            Kind::Agent if !blocks.is_empty() => {
                let image = self.spec.get("image");
                let named = if image.is_empty() {
                    self.spec.get("runtime")
                } else {
                    image
                };
                fields.push(named.path().to_owned());
            }
            Kind::MCP => {
                let upstreams = self.spec.get("upstreams");
                let programs = upstreams.items().filter(|upstream| {
                    upstream.get("stdio").is_set() && blocks.iter().any(|it| it == upstream.path())
                });
                fields.extend(programs.map(|it| it.get("stdio").get("image").path().to_owned()));
            }
            Kind::Agent | Kind::LLMGateway | Kind::AgentPolicy => {}
        }
        let account = |spec: &Node<'v>| {
            let account = spec.get("podTemplate").get("serviceAccountName");
            account.text().map(str::to_owned)
        };
        let now = account(&self.spec);
        if now.is_some() && self.before.as_ref().map(account) != Some(now) {
            let account = self.spec.get("podTemplate").get("serviceAccountName");
            fields.push(account.path().to_owned());
        }
        fields
    }
}

fn same(old: &Node<'_>, new: &Node<'_>, fields: &[&str]) -> bool {
    let value =
        |node: &Node<'_>, field: &str| -> Option<Value> { node.get(field).value().cloned() };
    fields
        .iter()
        .all(|field| value(old, field) == value(new, field))
}

/// Whether a path is this one, or below it.
pub(crate) fn holds(block: &str, path: &str) -> bool {
    path.strip_prefix(block)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
