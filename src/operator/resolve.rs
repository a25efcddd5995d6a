//! From a checked spec to a plan. Pure; the operator, `agentkube run` and the
//! tests get the same plan from the same objects.
//!
//! A missing Secret does not keep a plan from being made: the data plane answers
//! 503 for what needs it and serves the rest, and the plan is the same when the
//! Secret comes.

use std::collections::BTreeSet;
use std::fmt;

use agentkube_crds::llm_gateway::CheckedGateway;
use agentkube_crds::mcp::CheckedMcp;
use agentkube_plan::{GatewayPlan, ProxyPlan, SecretEntry};
use agentkube_webhooks::{Lookup, SecretEntryState};

/// A plan and what it needs beside itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution<P> {
    /// What the data plane serves.
    pub plan: P,
    /// Every Secret entry that the plan names, whether or not it is there.
    pub secrets: BTreeSet<SecretEntry>,
    /// Those that are not there.
    pub missing: Vec<MissingRef>,
}

/// A reference to a Secret that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRef {
    /// Name of the upstream that needs it.
    pub upstream: String,
    /// What it needs.
    pub entry: SecretEntry,
    /// True when the Secret is there and lacks the entry.
    pub secret_exists: bool,
}

impl MissingRef {
    /// The reason of the condition `ResolvedRefs`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        if self.secret_exists {
            "SecretKeyNotFound"
        } else {
            "SecretNotFound"
        }
    }
}

impl fmt::Display for MissingRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            upstream,
            entry: SecretEntry { name, key },
            ..
        } = self;
        if self.secret_exists {
            write!(
                f,
                "upstream {upstream}: Secret {name:?} has no entry {key:?}"
            )
        } else {
            write!(
                f,
                "upstream {upstream}: Secret {name:?} does not exist (entry {key:?} is needed)"
            )
        }
    }
}

/// Resolves a gateway.
#[must_use]
pub fn gateway(checked: &CheckedGateway, lookup: &dyn Lookup) -> Resolution<GatewayPlan> {
    let namespace = &checked.object.namespace;
    let named = checked.secrets().map(|(index, entry)| {
        (
            checked
                .upstreams
                .get(index)
                .map(|upstream| upstream.name.as_str()),
            entry,
        )
    });
    let mut resolution = resolution(checked.plan(), namespace, named, lookup);
    // What is read if it is there is mounted as well, and missed by nobody.
    let upstreams = checked.upstreams.iter();
    let read = upstreams.flat_map(|upstream| upstream.credentials.secrets());
    resolution.secrets.extend(read.cloned());
    resolution
}

/// Resolves an MCP.
#[must_use]
pub fn mcp(checked: &CheckedMcp, lookup: &dyn Lookup) -> Resolution<ProxyPlan> {
    let namespace = &checked.object.namespace;
    let named = checked.secrets().map(|(index, entry)| {
        (
            checked
                .upstreams
                .get(index)
                .map(|upstream| upstream.name.as_str()),
            entry,
        )
    });
    let mut resolution = resolution(checked.plan(), namespace, named, lookup);
    // Ours, so never missing for long: the Pods start before they are there.
    let keys = resolution.plan.session_keys.iter();
    let keys = keys.flat_map(|keys| keys.entries()).cloned();
    resolution.secrets.extend(keys);
    resolution
}

fn resolution<'a, P>(
    plan: P,
    namespace: &str,
    named: impl Iterator<Item = (Option<&'a str>, &'a SecretEntry)>,
    lookup: &dyn Lookup,
) -> Resolution<P> {
    let mut secrets = BTreeSet::new();
    let mut missing = Vec::new();
    for (upstream, entry) in named {
        let secret_exists = match lookup.secret_entry(namespace, &entry.name, &entry.key) {
            SecretEntryState::Present => None,
            SecretEntryState::NoEntry(_) => Some(true),
            SecretEntryState::NoSecret => Some(false),
        };
        if let Some(secret_exists) = secret_exists {
            missing.push(MissingRef {
                upstream: upstream.unwrap_or_default().to_owned(),
                entry: entry.clone(),
                secret_exists,
            });
        }
        secrets.insert(entry.clone());
    }
    Resolution {
        plan,
        secrets,
        missing,
    }
}

#[cfg(test)]
mod tests;
