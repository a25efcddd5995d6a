//! Objects that the tests begin with.

use agentkube_crds::{FieldError, Kind};
use serde_json::{Value, json};

use crate::lookup::FileIndex;
use crate::{Admit, Install, Mode, Verdict, admit};

/// The manifests of the documentation: a Secret, an MCP, an LLMGateway.
pub(crate) fn documented() -> Vec<Value> {
    let text = include_str!("documented.yaml");
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

pub(crate) fn gateway() -> Value {
    documented().remove(2)
}

pub(crate) fn mcp() -> Value {
    documented().remove(1)
}

/// A gateway and an MCP that admit every namespace, as the index knows them.
pub(crate) fn open_targets() -> [Value; 2] {
    let (mut gateway, mut mcp) = (gateway(), mcp());
    gateway["spec"]["allowedNamespaces"] = json!({"from": "All"});
    mcp["spec"]["allowedNamespaces"] = json!({"from": "All"});
    [gateway, mcp]
}

pub(crate) fn namespace(name: &str, labels: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
    })
}

pub(crate) fn secret(namespace: &str, name: &str, keys: &[&str]) -> Value {
    let entries: serde_json::Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!("c2VjcmV0")))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace}, "data": entries,
    })
}

/// Judges an object as if it were created in a cluster.
pub(crate) fn created(object: &Value, index: &FileIndex) -> Verdict {
    judged(object, None, index, Mode::Cluster)
}

pub(crate) fn judged(
    object: &Value,
    old: Option<&Value>,
    index: &FileIndex,
    mode: Mode,
) -> Verdict {
    let request = Admit {
        kind: Kind::from_name(object["kind"].as_str().unwrap()).unwrap(),
        namespace: object["metadata"]["namespace"].as_str().unwrap_or_default(),
        new: object,
        old,
        subresource: None,
    };
    admit(&request, index, &Install::of(mode))
}

/// Sets a value by JSON pointer, making maps on the way.
pub(crate) fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for step in pointer.trim_start_matches('/').split('/') {
        at = match step.parse::<usize>() {
            Ok(index) if at.is_array() => &mut at[index],
            _ => &mut at[step],
        };
    }
    *at = value;
}

pub(crate) fn lines(findings: &[FieldError]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
