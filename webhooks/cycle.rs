//! MCPs that refer to each other in a ring.
//!
//! One function for admission and for the operator: two objects that were
//! admitted at the same moment may close a ring that neither of them showed.

use std::collections::BTreeSet;

use agentkube_crds::{Kind, MCP};

use crate::lookup::Lookup;
use crate::target::TargetRef;

/// The way from `target` back to `object`, both included; `None` when no MCP
/// that `target` leads to refers to `object`.
#[must_use]
pub fn way_back(
    object: &TargetRef,
    target: &TargetRef,
    lookup: &dyn Lookup,
) -> Option<Vec<TargetRef>> {
    let mut seen = BTreeSet::from([target.clone()]);
    let mut ways = vec![vec![target.clone()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if last == object {
            return Some(way);
        }
        let Some(mcp) = lookup.mcp(&last.namespace, &last.name) else {
            continue;
        };
        // The first reference of the spec is looked at first.
        for next in references(&mcp, &last.namespace).into_iter().rev() {
            if next == *object || seen.insert(next.clone()) {
                ways.push(way.iter().cloned().chain([next]).collect());
            }
        }
    }
    None
}

/// The MCPs that an MCP of this namespace refers to, in the order of its spec.
#[must_use]
pub fn references(mcp: &MCP, home: &str) -> Vec<TargetRef> {
    let named = mcp
        .spec
        .upstreams
        .iter()
        .filter_map(|it| it.mcp_ref.as_ref());
    named
        .map(|reference| TargetRef {
            kind: Kind::MCP,
            namespace: reference.namespace.as_deref().unwrap_or(home).to_owned(),
            name: reference.name.clone(),
        })
        .collect()
}

/// `team-a/one → team-b/two → team-a/one`.
#[must_use]
pub fn printed(object: &TargetRef, way: &[TargetRef]) -> String {
    let all: Vec<String> = std::iter::once(object)
        .chain(way)
        .map(|it| format!("{}/{}", it.namespace, it.name))
        .collect();
    all.join(" → ")
}
