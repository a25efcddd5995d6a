//! References to Secrets: whether the Secret and its entry are there.
//!
//! A missing one is a warning, since a Secret and what refers to it often come
//! with one `kubectl apply` in any order; in a strict namespace it is a denial.

use agentkube_crds::{Kind, Reason};

use super::Subject;
use crate::findings::Findings;
use crate::lookup::SecretEntryState;
use crate::node::Node;

/// Entries of a Secret of type `kubernetes.io/basic-auth`.
const BASIC: &[&str] = &["username", "password"];
/// What bedrock reads when no entry is named.
const AWS: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    for reference in references(subject) {
        // It may be missing, but not be read without the right to.
        if reference.node.get("optional").flag() == Some(true) {
            continue;
        }
        match &reference.entries {
            Entries::Named => named_entry(subject, &reference.node, out),
            Entries::These(entries) => these_entries(subject, &reference.node, entries, out),
            Entries::BasicAuth => basic_auth(subject, &reference.node, out),
        }
    }
}

/// Where Secrets are named, and their names.
pub(crate) fn names<'a>(subject: &Subject<'a>) -> Vec<(String, &'a str)> {
    let references = references(subject).into_iter();
    references
        .filter_map(|reference| {
            let name = reference.node.get("name").text()?;
            Some((reference.node.path().to_owned(), name))
        })
        .collect()
}

/// A place in the spec that names a Secret.
struct Reference<'a> {
    node: Node<'a>,
    entries: Entries,
}

/// Which entries of it are read.
enum Entries {
    /// The one that `key` names.
    Named,
    /// All of these.
    These(&'static [&'static str]),
    /// User name and password, of a Secret of that type.
    BasicAuth,
}

fn references<'a>(subject: &Subject<'a>) -> Vec<Reference<'a>> {
    let spec = subject.spec();
    let named = |node| Reference {
        node,
        entries: Entries::Named,
    };
    let mut found = match subject.kind {
        Kind::LLMGateway => {
            let redis = spec.get("state").get("redis");
            let shared = [redis.get("passwordRef"), redis.get("caRef")].map(named);
            subject
                .upstreams()
                .iter()
                .map(credentials)
                .chain(shared)
                .collect()
        }
        Kind::MCP => {
            let mut found: Vec<_> = subject.upstreams().iter().map(upstream_auth).collect();
            for upstream in subject.upstreams() {
                found.extend(environment(&upstream.get("stdio").get("env")).map(named));
            }
            found
        }
        Kind::Agent => {
            let own = named(spec.get("agentToken").get("secretRef"));
            environment(&spec.get("env"))
                .map(named)
                .chain([own])
                .collect()
        }
        Kind::AgentPolicy => Vec::new(),
    };
    found.retain(|reference| {
        reference
            .node
            .get("name")
            .text()
            .is_some_and(|name| !name.is_empty())
    });
    found
}

fn credentials<'a>(upstream: &Node<'a>) -> Reference<'a> {
    let node = upstream.get("credentialsRef");
    let pair = upstream.get("provider").text() == Some("bedrock") && !node.get("key").is_set();
    Reference {
        node,
        entries: if pair {
            Entries::These(AWS)
        } else {
            Entries::Named
        },
    }
}

fn upstream_auth<'a>(upstream: &Node<'a>) -> Reference<'a> {
    let auth = upstream.get("auth");
    let basic = auth.get("mode").text() == Some("basic");
    let entries = if basic {
        Entries::BasicAuth
    } else {
        Entries::Named
    };
    Reference {
        node: auth.get("secretRef"),
        entries,
    }
}

fn environment<'a>(env: &Node<'a>) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let items = env.items().collect::<Vec<_>>().into_iter();
    items.map(|item| item.get("valueFrom").get("secretKeyRef"))
}

fn named_entry(subject: &Subject<'_>, reference: &Node<'_>, out: &mut Findings) {
    let Some(name) = reference.get("name").text() else {
        return;
    };
    let key = reference.get("key");
    let Some(entry) = key.text().filter(|entry| !entry.is_empty()) else {
        // Which entry is meant is not known; the schema or CEL asks for it.
        return if subject.lookup.secret(subject.namespace, name).is_none() {
            missing(subject, &reference.get("name"), name, out);
        };
    };
    match subject.lookup.secret_entry(subject.namespace, name, entry) {
        SecretEntryState::Present => {}
        SecretEntryState::NoSecret => missing(subject, &reference.get("name"), name, out),
        SecretEntryState::NoEntry(others) => {
            let message = format!("Secret {name:?} has no entry {entry:?}");
            let near = agentkube_crds::nearest(entry, others.iter().map(String::as_str));
            let finding = out.missing(subject.strict, &key, message);
            finding.suggestion = near.map(str::to_owned);
        }
    }
}

fn these_entries(
    subject: &Subject<'_>,
    reference: &Node<'_>,
    entries: &[&str],
    out: &mut Findings,
) {
    let Some(name) = reference.get("name").text() else {
        return;
    };
    for entry in entries {
        match subject.lookup.secret_entry(subject.namespace, name, entry) {
            SecretEntryState::Present => {}
            SecretEntryState::NoSecret => {
                return missing(subject, &reference.get("name"), name, out);
            }
            SecretEntryState::NoEntry(_) => {
                let message = format!("Secret {name:?} has no entry {entry:?}");
                out.missing(subject.strict, &reference.get("name"), message);
            }
        }
    }
}

fn basic_auth(subject: &Subject<'_>, reference: &Node<'_>, out: &mut Findings) {
    these_entries(subject, reference, BASIC, out);
    let node = reference.get("name");
    let Some(facts) = node
        .text()
        .and_then(|name| subject.lookup.secret(subject.namespace, name))
    else {
        return;
    };
    if facts.type_ != "kubernetes.io/basic-auth" {
        let message = format!(
            "type is {:?}; basic wants kubernetes.io/basic-auth",
            facts.type_
        );
        out.warn(&node, Reason::Invalid, message);
    }
}

fn missing(subject: &Subject<'_>, node: &Node<'_>, name: &str, out: &mut Findings) {
    let message = format!("Secret \"{}/{name}\" does not exist yet", subject.namespace);
    out.missing(subject.strict, node, message);
}
