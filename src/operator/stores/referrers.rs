//! MCPs that offer the tools of other MCPs, and so change with them.

use std::collections::BTreeSet;

use agentkube_crds::{Kind, MCP};
use agentkube_webhooks::TargetRef;
use agentkube_webhooks::cycle::references;

use super::{Key, Stores};

impl Stores {
    /// Wants an MCP and all that lead to it to be looked at.
    pub(super) fn mark_mcp_and_referrers(&self, namespace: &str, name: &str) {
        let all = self.mcps.state();
        let mut marked = BTreeSet::new();
        let mut open = vec![Key::new(namespace, name)];
        while let Some(key) = open.pop() {
            let leads_here = |mcp: &MCP| {
                let mut targets = targets(mcp).into_iter();
                targets.any(|it| it.namespace == key.namespace && it.name == key.name)
            };
            for mcp in all.iter().filter(|mcp| leads_here(mcp)) {
                let meta = &mcp.metadata;
                if let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) {
                    open.push(Key::new(namespace, name));
                }
            }
            open.retain(|key| !marked.contains(key));
            self.dirty.mark(Kind::MCP, &key.namespace, &key.name);
            marked.insert(key);
        }
    }

    /// Wants every MCP of a namespace that refers to another one to be looked at.
    pub(super) fn mark_referrers_in(&self, namespace: &str) {
        let refers = |mcp: &MCP| {
            mcp.metadata.namespace.as_deref() == Some(namespace) && !targets(mcp).is_empty()
        };
        for mcp in self.mcps.state_filter(refers) {
            self.mark_meta(Kind::MCP, &mcp.metadata);
            // Whether this namespace is one of its clients depends on its labels.
            for target in targets(&mcp) {
                self.dirty.mark(Kind::MCP, &target.namespace, &target.name);
            }
        }
    }
}

/// The MCPs that an MCP refers to, admitted or not.
pub(crate) fn targets(mcp: &MCP) -> Vec<TargetRef> {
    references(mcp, mcp.metadata.namespace.as_deref().unwrap_or_default())
}
