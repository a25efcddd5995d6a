//! On UPDATE only what is new denies.
//!
//! An object that was stored under older rules, or whose gateway has changed
//! since, must stay editable: whoever fixes one field is not made to fix all.

use std::collections::HashSet;

use agentkube_crds::FieldError;
use serde_json::Value;

use crate::findings::Findings;

/// Turns errors that the old object has as well into warnings.
pub(super) fn soften(found: &mut Findings, (new, old): (&Value, &Value), before: &Findings) {
    let known: HashSet<(String, &str)> = before
        .errors
        .iter()
        .map(|error| identity(error, old))
        .collect();
    let (unchanged, fresh): (Vec<_>, Vec<_>) = std::mem::take(&mut found.errors)
        .into_iter()
        .partition(|error| known.contains(&identity(error, new)));
    found.errors = fresh;
    found.warnings.extend(unchanged);
}

/// True when two versions of an object differ in nothing that a person writes.
pub(super) fn says_the_same(old: &Value, new: &Value) -> bool {
    let equal = |pointer: &str| old.pointer(pointer) == new.pointer(pointer);
    equal("/spec") && equal("/metadata/labels") && equal("/metadata/annotations")
}

/// A finding whose place does not depend on where in a list it stands: an item
/// with a name keeps it when another one is put before it.
fn identity<'e>(error: &'e FieldError, object: &Value) -> (String, &'e str) {
    (stable(&error.field, object), &error.message)
}

fn stable(field: &str, object: &Value) -> String {
    let mut path = String::with_capacity(field.len());
    let mut at = Some(object);
    for part in field.split_inclusive(['.', '[', ']']) {
        let name = part.trim_end_matches(['.', '[', ']']);
        if name.is_empty() {
            path.push_str(part);
            continue;
        }
        let item = match (at, name.parse::<usize>()) {
            (Some(Value::Array(items)), Ok(index)) => items.get(index),
            (Some(value), _) => value.get(name),
            (None, _) => None,
        };
        let named = matches!(at, Some(Value::Array(_)))
            .then(|| item.and_then(name_of))
            .flatten();
        path.push_str(named.as_deref().unwrap_or(name));
        path.push_str(part.get(name.len()..).unwrap_or_default());
        at = item;
    }
    path
}

/// What tells an item of a list from the others.
fn name_of(item: &Value) -> Option<String> {
    let keys = ["name", "from"];
    let named = keys
        .iter()
        .find_map(|key| item.get(key).and_then(Value::as_str));
    named
        .or_else(|| item.as_str())
        .map(|name| format!("={name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_named_item_keeps_its_identity_when_it_moves() {
        let before = json!({"spec": {"upstreams": [{"name": "a", "endpoint": "x"}]}});
        let after = json!({"spec": {"upstreams": [{"name": "b"}, {"name": "a", "endpoint": "x"}]}});
        assert_eq!(
            stable("spec.upstreams[0].endpoint", &before),
            stable("spec.upstreams[1].endpoint", &after)
        );
        assert_ne!(
            stable("spec.upstreams[0].endpoint", &before),
            stable("spec.upstreams[0].endpoint", &after)
        );
    }

    #[test]
    fn only_metadata_that_kubernetes_writes_says_the_same() {
        let old =
            json!({"metadata": {"finalizers": ["a"], "labels": {"x": "1"}}, "spec": {"port": 1}});
        let mut new = old.clone();
        new["metadata"]["finalizers"] = json!([]);
        new["status"] = json!({"replicas": 1});
        assert!(says_the_same(&old, &new));
        new["metadata"]["labels"]["x"] = json!("2");
        assert!(!says_the_same(&old, &new));
    }
}
