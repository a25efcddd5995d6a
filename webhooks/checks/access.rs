//! Grants of tools to clients: a wildcard that is none, and grants that nobody can get.

use agentkube_crds::Reason;

use super::Subject;
use crate::findings::Findings;
use crate::node::Node;

/// What everybody is called who calls a server with `auth.mode: none`.
const ANYBODY: &str = "anonymous";

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    let nameless = spec.get("auth").get("mode").text() == Some("none");
    for rule in spec.get("access").items() {
        let clients = rule.get("clients");
        let patterns = || clients.items().filter_map(|client| client.text());
        if nameless && patterns().count() > 0 && !patterns().any(is_anybody) {
            let message = format!("auth.mode is none: every client is {ANYBODY:?}, not these");
            out.warn(&clients, Reason::Invalid, message);
        }
        clients.items().for_each(|client| spelling(&client, out));
    }
}

fn is_anybody(pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == ANYBODY,
        // More than one star is rare; whether it fits is then not judged.
        Some((head, tail)) => {
            tail.contains('*') || (ANYBODY.starts_with(head) && ANYBODY.ends_with(tail))
        }
    }
}

fn spelling(client: &Node<'_>, out: &mut Findings) {
    if client
        .text()
        .is_some_and(|text| text.contains(['?', '[', ']']))
    {
        let message = "only '*' is a wildcard: write names, or globs such as team-a/*";
        out.error(client, Reason::Invalid, message);
    }
}
