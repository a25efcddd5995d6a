//! The verdict on an object of our own kinds. Pure: no clock, no I/O.
//!
//! Guarantees
//! - All findings are answered at once, whatever else is malformed.
//! - A field that the user set is never changed; admitting the answer again
//!   changes nothing.
//! - On UPDATE only what is new denies; what was wrong before is only said.
//! - Deletions, changes of finalizers and of `status` pass.

mod merge;
mod ratchet;

use std::collections::BTreeSet;

use agentkube_crds::{Agent, FieldError, Kind, LLMGateway, MCP, check_cel, defaults, unsupported};
use serde_json::Value;

use crate::checks::{self, Subject};
use crate::findings::Findings;
use crate::lookup::Lookup;
use crate::schema;

/// One object to be admitted.
#[derive(Clone, Copy, Debug)]
pub struct Admit<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for a cluster-scoped kind.
    pub namespace: &'a str,
    /// The object as it is to be stored.
    pub new: &'a Value,
    /// The object as it is stored, on UPDATE.
    pub old: Option<&'a Value>,
    /// `status`, `scale`, … when it is not the object itself that is written.
    pub subresource: Option<&'a str>,
}

/// What is said about an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The object with defaults filled in; absent when nothing was looked at.
    pub object: Option<Value>,
    /// What denies it, in the order of the spec's fields.
    pub errors: Vec<FieldError>,
    /// What is only said.
    pub warnings: Vec<FieldError>,
}

/// What the installation decides.
#[derive(Clone, Debug, Default)]
pub struct Install {
    /// Where the objects are going to run.
    pub mode: Mode,
    /// Runtimes for which the installation sets an image; absent where that
    /// cannot be known, as in `lint`.
    pub runtime_images: Option<BTreeSet<String>>,
}

/// Where the objects are going to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As Pods: admission in a cluster, and `lint`.
    #[default]
    Cluster,
    /// In one process on this machine: `run` and `lint --local`.
    Local,
}

impl Verdict {
    /// True when nothing denies.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.errors.is_empty()
    }
}

impl Install {
    /// An installation of that mode of which nothing else is known.
    #[must_use]
    pub fn of(mode: Mode) -> Self {
        Self {
            mode,
            runtime_images: None,
        }
    }

    /// The same, taken for complete: what it does not set is not set.
    #[must_use]
    pub(crate) fn settled(&self) -> Self {
        Self {
            mode: self.mode,
            runtime_images: Some(self.runtime_images.clone().unwrap_or_default()),
        }
    }
}

/// Judges an object of one of our kinds.
#[must_use]
pub fn admit(request: &Admit<'_>, lookup: &dyn Lookup, install: &Install) -> Verdict {
    if passes(request) {
        return Verdict::default();
    }
    let object = defaults(request.kind, request.new);
    let old = request.old.map(|old| defaults(request.kind, old));
    let mut found = judge(request, &object, old.as_ref(), lookup, install);
    if let Some(old) = &old {
        checks::port_changed(old, &object, &mut found);
        let before = judge(request, old, None, lookup, install);
        ratchet::soften(&mut found, (&object, old), &before);
    }
    merge::order(&mut found);
    Verdict {
        object: Some(object),
        errors: found.errors,
        warnings: found.warnings,
    }
}

/// What is never looked at: the object goes, or only what Kubernetes itself
/// writes changes. A finalizer that could not be removed would keep a namespace
/// from ever going away.
fn passes(request: &Admit<'_>) -> bool {
    let goes = request
        .new
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|at| !at.is_null());
    let status = request.subresource.is_some_and(|name| name == "status");
    let same = request
        .old
        .is_some_and(|old| ratchet::says_the_same(old, request.new));
    goes || status || same
}

/// Everything that can be said about one object.
fn judge(
    request: &Admit<'_>,
    object: &Value,
    old: Option<&Value>,
    lookup: &dyn Lookup,
    install: &Install,
) -> Findings {
    let mut schema = Findings::default();
    schema::check(request.kind, object, &mut schema);

    let mut checked = Findings::default();
    let subject = Subject::new(request.kind, request.namespace, object, lookup, install);
    checks::run(&subject, &mut checked);

    let cel = check_cel(request.kind, object, old);
    let (refused, announced) = unsupported(request.kind, object);
    let mut found = merge::merge(schema, checked, cel, refused, announced);
    if found.errors.is_empty() {
        // What was admitted can be reconciled: the operator's own parser agrees.
        found.errors = parse(request.kind, object);
    }
    found
}

fn parse(kind: Kind, object: &Value) -> Vec<FieldError> {
    let parsed = match kind {
        Kind::Agent => Agent::read(object).map(|it| it.parse().err()),
        Kind::LLMGateway => LLMGateway::read(object).map(|it| it.parse().err()),
        Kind::MCP => MCP::read(object).map(|it| it.parse().err()),
        // Refused whole until it is enforced.
        Kind::AgentPolicy => Ok(None),
    };
    match parsed {
        Ok(errors) => errors.unwrap_or_default(),
        Err(error) => vec![error],
    }
}

#[cfg(test)]
mod tests;
