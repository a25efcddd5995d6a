//! Limits, and whether they can hold as written.

use agentkube_crds::Reason;

use super::Subject;
use crate::findings::Findings;
use crate::node::Node;

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    let limit = subject.spec().get("rateLimit");
    for field in ["requestsPerMinute", "tokensPerMinute", "burst"] {
        let node = limit.get(field);
        if node.number().is_some_and(|number| number < 1) {
            out.error(&node, Reason::Invalid, "a limit is at least 1".to_owned());
        }
    }
    burst(&limit, out);
    one_bucket(subject, &limit, out);
    shared_state(subject, out);
}

fn burst(limit: &Node<'_>, out: &mut Findings) {
    let node = limit.get("burst");
    if let (Some(burst), Some(rate)) = (node.number(), limit.get("requestsPerMinute").number())
        && rate >= 1
        && burst > rate
    {
        let message =
            format!("a burst of {burst} lets more than {rate} requests pass in the first minute");
        out.warn(&node, Reason::Invalid, message);
    }
}

fn one_bucket(subject: &Subject<'_>, limit: &Node<'_>, out: &mut Findings) {
    if subject.spec().get("auth").get("mode").text() != Some("none") {
        return;
    }
    let shared = |node: &Node<'_>| {
        node.get("scope")
            .text()
            .is_none_or(|scope| scope == "perClient")
    };
    let budgets = subject.spec().get("budgets");
    let limits = Some(limit.clone()).filter(|limit| !limit.is_empty());
    for node in limits.into_iter().chain(budgets.items()).filter(shared) {
        let message = "auth.mode is none: all callers are one client and share one bucket";
        out.warn(&node.get("scope"), Reason::Invalid, message);
    }
}

fn shared_state(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    let replicas = spec.get("replicas").number().unwrap_or(1);
    if replicas <= 1 || spec.get("state").get("redis").is_set() {
        return;
    }
    if !spec.get("rateLimit").is_empty() || !spec.get("budgets").is_empty() {
        let message = format!(
            "without state.redis each of {replicas} replicas holds 1/{replicas} of a limit"
        );
        out.warn(&spec.get("replicas"), Reason::Invalid, message);
    } else if spec.get("caching").get("enabled").flag() == Some(true) {
        let message = format!("without state.redis each of {replicas} replicas has its own cache");
        out.warn(&spec.get("replicas"), Reason::Invalid, message);
    }
}
