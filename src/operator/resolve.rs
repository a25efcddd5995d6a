//! From a checked spec to a plan. Pure; the operator, `agentkube run` and the
//! tests get the same plan from the same objects.
//!
//! A missing Secret does not keep a plan from being made: the data plane answers
//! 503 for what needs it and serves the rest, and the plan is the same when the
//! Secret comes.

mod flat;
mod pins;
mod program;

use std::collections::BTreeSet;
use std::fmt;

use agentkube_crds::llm_gateway::CheckedGateway;
use agentkube_crds::mcp::CheckedMcp;
use agentkube_crds::mcp::pins::pin_set;
use agentkube_plan::{GatewayPlan, ProxyPlan, SecretEntry};
use agentkube_webhooks::{Lookup, SecretEntryState};

use self::flat::Flat;
pub use self::flat::Hops;
pub use self::program::Program;
pub(crate) use self::program::SOCKETS;

/// A plan and what it needs beside itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution<P> {
    /// What the data plane serves.
    pub plan: P,
    /// Every Secret entry that the plan names, whether or not it is there.
    pub secrets: BTreeSet<SecretEntry>,
    /// Those that are not there.
    pub missing: Vec<MissingRef>,
    /// Programs that the plan reaches at sockets.
    pub programs: Vec<Program>,
}

/// A reference that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRef {
    /// Name of the upstream that needs it.
    pub upstream: String,
    /// What it needs.
    pub what: MissingWhat,
    /// True when the data plane itself needs it, and so knows.
    pub by_plane: bool,
}

/// What a reference should lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingWhat {
    /// An entry of a Secret that is not there.
    Entry(SecretEntry),
    /// Another MCP: the reason of the condition, and why it cannot be used.
    Mcp(&'static str, String),
    /// A Secret that is not there.
    Secret(SecretEntry),
}

impl MissingRef {
    /// The reason of the condition `ResolvedRefs`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match &self.what {
            MissingWhat::Entry(_) => "SecretKeyNotFound",
            MissingWhat::Mcp(reason, _) => reason,
            MissingWhat::Secret(_) => "SecretNotFound",
        }
    }
}

impl fmt::Display for MissingRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream {}: ", self.upstream)?;
        match &self.what {
            MissingWhat::Entry(SecretEntry { name, key }) => {
                write!(f, "Secret {name:?} has no entry {key:?}")
            }
            MissingWhat::Mcp(_, why) => f.write_str(why),
            MissingWhat::Secret(SecretEntry { name, key }) => {
                write!(
                    f,
                    "Secret {name:?} does not exist (entry {key:?} is needed)"
                )
            }
        }
    }
}

/// Resolves a gateway.
#[must_use]
pub fn gateway(checked: &CheckedGateway, lookup: &dyn Lookup) -> Resolution<GatewayPlan> {
    let namespace = &checked.object.namespace;
    let named = checked.secrets().map(|(index, entry)| {
        let upstream = checked.upstreams.get(index);
        let upstream = upstream.map_or("", |upstream| &upstream.name);
        (namespace.as_str(), upstream, entry)
    });
    let (mut secrets, missing) = entries(named, lookup);
    // What is read if it is there is mounted as well, and missed by nobody.
    let upstreams = checked.upstreams.iter();
    let read = upstreams.flat_map(|upstream| upstream.credentials.secrets());
    secrets.extend(read.cloned());
    Resolution {
        plan: checked.plan(),
        secrets,
        missing,
        programs: Vec::new(),
    }
}

/// Resolves an MCP.
#[must_use]
pub fn mcp(checked: &CheckedMcp, lookup: &dyn Lookup, hops: Hops) -> Resolution<ProxyPlan> {
    let Flat { rows, absent } = Flat::of(checked, lookup, hops);
    let named = rows.iter().flat_map(|row| {
        let entries = row.upstream.secrets();
        entries.map(|entry| (row.home.as_str(), row.upstream.name.as_str(), entry))
    });
    let (_, mut missing) = entries(named, lookup);
    missing.extend(absent);
    let (mut upstreams, mut programs) = (Vec::new(), Vec::new());
    for row in rows {
        let (mut upstream, program) = row.into_upstream(checked);
        let pins = pin_set(checked.tool_pinning, &checked.pins, &upstream.name);
        upstream.pins.extend(pins);
        upstreams.push(upstream);
        programs.extend(program);
    }
    for program in &programs {
        missing.extend(variables(program, &checked.object.namespace, lookup));
    }
    missing.extend(pins::bound(&mut upstreams));
    let plan = checked.plan(upstreams);
    let upstreams = plan.upstreams.iter();
    let mut secrets: BTreeSet<_> = upstreams
        .flat_map(|upstream| upstream.secrets().cloned())
        .collect();
    // Ours, so never missing for long: the Pods start before they are there.
    let keys = plan.session_keys.iter();
    secrets.extend(keys.flat_map(|keys| keys.entries()).cloned());
    Resolution {
        plan,
        secrets,
        missing,
        programs,
    }
}

/// What is missing in the environment of a program.
fn variables(program: &Program, namespace: &str, lookup: &dyn Lookup) -> Vec<MissingRef> {
    let needed = program.secrets().filter(|(_, optional)| !optional);
    let needed: Vec<SecretEntry> = needed.map(|(entry, _)| entry).collect();
    let named = needed
        .iter()
        .map(|entry| (namespace, program.upstream.as_str(), entry));
    let (_, mut missing) = entries(named, lookup);
    missing.iter_mut().for_each(|it| it.by_plane = false);
    missing
}

/// The entries, and those that are not there; each with the namespace of its
/// Secret and the upstream that reads it.
fn entries<'a>(
    named: impl Iterator<Item = (&'a str, &'a str, &'a SecretEntry)>,
    lookup: &dyn Lookup,
) -> (BTreeSet<SecretEntry>, Vec<MissingRef>) {
    let mut secrets = BTreeSet::new();
    let mut missing = Vec::new();
    for (namespace, upstream, entry) in named {
        let what = match lookup.secret_entry(namespace, &entry.name, &entry.key) {
            SecretEntryState::Present => None,
            SecretEntryState::NoEntry(_) => Some(MissingWhat::Entry(entry.clone())),
            SecretEntryState::NoSecret => Some(MissingWhat::Secret(entry.clone())),
        };
        missing.extend(what.map(|what| MissingRef {
            upstream: upstream.to_owned(),
            what,
            by_plane: true,
        }));
        secrets.insert(entry.clone());
    }
    (secrets, missing)
}

#[cfg(test)]
mod tests;
