//! Patterns of the tool filter: a wildcard that is none, and what can never match.
//! Which list goes with which mode is CEL's.

use agentkube_crds::Reason;

use super::Subject;
use crate::findings::Findings;
use crate::node::Node;

/// Longest legal tool name (MCP 2025-11-25, Tools, "Tool Names").
const LONGEST: usize = 128;

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    for upstream in subject.upstreams() {
        let tools = upstream.get("tools");
        for pattern in tools.get("allow").items().chain(tools.get("deny").items()) {
            spelling(&pattern, out);
        }
    }
    for rule in subject.spec().get("access").items() {
        for pattern in rule.get("tools").items() {
            spelling(&pattern, out);
        }
    }
}

fn spelling(node: &Node<'_>, out: &mut Findings) {
    let Some(pattern) = node.text() else { return };
    if pattern.contains(['?', '[', ']']) {
        let message = "only '*' is a wildcard: write names, or globs such as list_*";
        out.error(node, Reason::Invalid, message);
    } else if !pattern.is_empty() && !may_match(pattern) {
        let message = format!("no legal tool name can match {pattern:?} (letters, digits, _ . -)");
        out.warn(node, Reason::Invalid, message);
    }
}

/// True when a legal tool name (`[A-Za-z0-9_.-]{1,128}`) can match the pattern.
fn may_match(pattern: &str) -> bool {
    let literal = pattern.chars().filter(|c| *c != '*');
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    literal.clone().all(legal) && literal.count() <= LONGEST
}
