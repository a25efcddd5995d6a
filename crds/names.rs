//! Names of what an object becomes. Pure, so that every part of the system derives the same.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::field::{FieldError, Reason};
use crate::{Kind, keys};

/// Longest name of an object of this kind: what is left when its longest child (a Service,
/// 63 characters; a StatefulSet, whose pods carry `controller-revision-hash` labels, 52) is to
/// have a legal name.
#[must_use]
pub const fn max_name(kind: Kind) -> usize {
    match kind {
        Kind::Agent => 52,
        Kind::LLMGateway | Kind::MCP => 59,
        Kind::AgentPolicy => 253,
    }
}

/// Name of the Deployment, Service, ConfigMap and ServiceAccount of an object: `x-llm`, `x-mcp`;
/// an Agent's are named as itself.
#[must_use]
pub fn child(kind: Kind, name: &str) -> String {
    match kind {
        Kind::LLMGateway => format!("{name}-llm"),
        Kind::MCP => format!("{name}-mcp"),
        Kind::Agent | Kind::AgentPolicy => name.to_owned(),
    }
}

/// Name of the Secret that holds the hashes of the clients' keys.
#[must_use]
pub fn clients_secret(kind: Kind, name: &str) -> String {
    child(kind, name) + "-clients"
}

/// Name of the Secret that holds the keys with which an MCP seals the ids of sessions.
#[must_use]
pub fn session_keys(name: &str) -> String {
    child(Kind::MCP, name) + "-sessions"
}

/// Name of the Service without an address of its own by which the replicas of an MCP
/// find each other: `x-mcp-peers`. Where that is longer than a Service's name may be, the
/// end of `x` gives way to 8 hex digits of its SHA-256.
#[must_use]
pub fn peers_service(name: &str) -> String {
    let whole = child(Kind::MCP, name) + "-peers";
    if whole.len() <= 63 {
        return whole;
    }
    let mut hex = hex::encode(Sha256::digest(name));
    hex.truncate(8);
    let head: String = name.chars().take(44).collect();
    let head = head.trim_end_matches('-');
    child(Kind::MCP, &format!("{head}-{hex}")) + "-peers"
}

/// The name that leads to the Pods of [`peers_service`] inside the cluster.
#[must_use]
pub fn peers_host(namespace: &str, name: &str) -> String {
    format!("{}.{namespace}.svc", peers_service(name))
}

/// Name of the Secret that holds the key of one client for one target:
/// `agentkube-key-` and the first 16 hex digits of SHA-256 over
/// `<client>\n<kind>/<namespace>/<name>`, where the kind is `llmgateway` or `mcp` and the
/// client `namespace/serviceaccount`. No part can hold a line feed.
#[must_use]
pub fn client_key_secret(client: &str, kind: Kind, namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{client}\n{}", target(kind, namespace, name)));
    let mut hex = hex::encode(digest);
    hex.truncate(16);
    format!("agentkube-key-{hex}")
}

/// The audience of service account tokens for an object:
/// `llmgateway.agentkube.io/platform/shared-gateway`.
///
/// Of one object only: whoever gets hold of a token that was sent to one gateway
/// cannot use it at another.
#[must_use]
pub fn token_audience(kind: Kind, namespace: &str, name: &str) -> String {
    format!("{}.agentkube.io/{namespace}/{name}", kind.singular())
}

/// A target as annotations name it: `llmgateway/platform/shared`.
#[must_use]
pub fn target(kind: Kind, namespace: &str, name: &str) -> String {
    format!("{}/{namespace}/{name}", kind.singular())
}

/// Whether the value of the label [`keys::CLIENT_OF`] names this object.
#[must_use]
pub fn is_client_of(label: &str, kind: Kind, name: &str) -> bool {
    label == name
        || label
            .strip_prefix(kind.singular())
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|rest| rest == name)
}

/// The names under which the Service of an object is reached inside the cluster.
#[must_use]
pub fn service_hosts(kind: Kind, namespace: &str, name: &str) -> Vec<String> {
    let service = child(kind, name);
    vec![
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}"),
        service,
    ]
}

/// Where an object answers inside the cluster: `status.endpoint`. An OpenAI client adds `/v1`
/// to a gateway's.
#[must_use]
pub fn service_url(kind: Kind, namespace: &str, name: &str, port: u16) -> String {
    let service = child(kind, name);
    let path = match kind {
        Kind::MCP => "/mcp",
        Kind::Agent | Kind::AgentPolicy | Kind::LLMGateway => "",
    };
    format!("http://{service}.{namespace}.svc:{port}{path}")
}

/// The labels of everything that an object becomes.
#[must_use]
pub fn labels(kind: Kind, name: &str) -> BTreeMap<String, String> {
    let (app, component) = match kind {
        Kind::LLMGateway => ("llm-gateway", "data-plane"),
        Kind::MCP => ("mcp-proxy", "data-plane"),
        Kind::Agent => ("agent", "agent"),
        Kind::AgentPolicy => ("agent-policy", "policy"),
    };
    let mut labels = selector(kind, name);
    for (key, value) in [
        ("app.kubernetes.io/name", app),
        ("app.kubernetes.io/instance", name),
        ("app.kubernetes.io/component", component),
        ("app.kubernetes.io/part-of", "agentkube"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// The labels by which the pods of an object are selected.
#[must_use]
pub fn selector(kind: Kind, name: &str) -> BTreeMap<String, String> {
    let of = match kind {
        Kind::LLMGateway => keys::OF_LLM_GATEWAY,
        Kind::MCP => keys::OF_MCP,
        Kind::Agent | Kind::AgentPolicy => keys::OF_AGENT,
    };
    let (managed_by, us) = keys::MANAGED_BY;
    BTreeMap::from([
        (managed_by.to_owned(), us.to_owned()),
        (of.to_owned(), name.to_owned()),
    ])
}

/// [`selector`] as one string, for `status.selector`.
#[must_use]
pub fn selector_text(kind: Kind, name: &str) -> String {
    let pairs: Vec<String> = selector(kind, name)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// Whether a name is a DNS-1035 label: what a Service demands.
#[must_use]
pub fn is_dns1035(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(inner)
}

/// What is wrong with `metadata.name` of an object.
#[must_use]
pub fn check(kind: Kind, name: &str) -> Option<FieldError> {
    if !kind.namespaced() {
        return None;
    }
    let max = max_name(kind);
    if name.len() > max {
        let message = format!(
            "the name of an {kind} may have {max} characters, this one has {}: what it becomes \
             could not be named",
            name.len()
        );
        return Some(FieldError::new("metadata.name", Reason::TooLong, message));
    }
    if !is_dns1035(name) {
        let message = "a Service must carry this name: lower-case letters, digits and '-', \
                       beginning with a letter and not ending with '-'";
        let error = FieldError::new("metadata.name", Reason::Invalid, message);
        return Some(match legal(name) {
            Some(legal) => error.suggest(legal),
            None => error,
        });
    }
    None
}

/// The nearest DNS-1035 label.
fn legal(name: &str) -> Option<String> {
    let lower: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let legal = lower
        .trim_start_matches(|c: char| !c.is_ascii_lowercase())
        .trim_end_matches('-');
    (!legal.is_empty()).then(|| legal.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_client_key_is_the_documented_hash() {
        // printf 'team-a/reviewer\nllmgateway/platform/shared-gateway' | sha256sum
        assert_eq!(
            client_key_secret(
                "team-a/reviewer",
                Kind::LLMGateway,
                "platform",
                "shared-gateway"
            ),
            "agentkube-key-50e32764c7da5111"
        );
    }

    #[test]
    fn a_label_names_one_kind_or_both() {
        assert!(is_client_of("x", Kind::MCP, "x"));
        assert!(is_client_of("mcp.x", Kind::MCP, "x"));
        assert!(!is_client_of("llmgateway.x", Kind::MCP, "x"));
        assert!(!is_client_of("mcp.xy", Kind::MCP, "x"));
    }

    #[test]
    fn the_longest_legal_name_has_legal_children() {
        for kind in [Kind::LLMGateway, Kind::MCP] {
            let name = "a".repeat(max_name(kind));
            assert_eq!(check(kind, &name), None);
            assert_eq!(child(kind, &name).len(), 63);
            assert!(check(kind, &(name + "a")).is_some());
        }
    }

    #[test]
    fn the_replicas_of_a_long_name_find_each_other_by_a_legal_name() {
        assert_eq!(peers_service("tools"), "tools-mcp-peers");
        for len in [53, 54, max_name(Kind::MCP)] {
            let service = peers_service(&"a-".repeat(40)[..len]);
            assert!(is_dns1035(&service), "{service}");
            assert!(service.ends_with("-mcp-peers"));
        }
        let long = |end: &str| peers_service(&("a".repeat(50) + end));
        assert_ne!(long("-one-tool"), long("-two-tool"));
    }

    #[test]
    fn an_illegal_name_gets_the_nearest_legal_one() {
        let error = check(Kind::MCP, "1st_Tools-").unwrap();
        assert_eq!(error.field, "metadata.name");
        assert_eq!(error.suggestion.as_deref(), Some("st-tools"));
    }

    #[test]
    fn the_selector_is_part_of_the_labels() {
        let labels = labels(Kind::LLMGateway, "x");
        for (key, value) in selector(Kind::LLMGateway, "x") {
            assert_eq!(labels.get(&key), Some(&value));
        }
        assert_eq!(
            selector_text(Kind::MCP, "x"),
            "agentkube.io/mcp=x,app.kubernetes.io/managed-by=agentkube"
        );
    }
}
