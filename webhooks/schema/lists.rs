//! Repetitions in lists that are sets or maps (`x-kubernetes-list-type`). JSON
//! Schema has no word for them.

use std::collections::BTreeMap;

use agentkube_crds::{FieldError, Reason};
use serde_json::Value;

use super::Place;
use crate::findings::Findings;

pub(super) fn check(place: &Place<'_>, out: &mut Findings) {
    match place
        .schema
        .get("x-kubernetes-list-type")
        .and_then(Value::as_str)
    {
        Some("set") => repeated(place, &[], out),
        Some("map") => {
            let keys = place
                .schema
                .get("x-kubernetes-list-map-keys")
                .and_then(Value::as_array);
            let keys: Vec<&str> = keys
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            repeated(place, &keys, out);
        }
        _ => {}
    }
    for below in place.children() {
        check(&below, out);
    }
}

fn repeated(list: &Place<'_>, keys: &[&str], out: &mut Findings) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for item in list.children() {
        let Some((field, shown)) = identity(&item, keys) else {
            continue;
        };
        match seen.get(&shown) {
            Some(first) => out.errors.push(FieldError {
                field,
                reason: Reason::Duplicate,
                message: format!("{shown} is already {first}"),
                suggestion: None,
            }),
            None => {
                seen.insert(shown, field);
            }
        }
    }
}

/// What must be unique, and where to say that it is not.
fn identity(item: &Place<'_>, keys: &[&str]) -> Option<(String, String)> {
    let value = item.value?;
    let [first, ..] = keys else {
        return Some((item.path.clone(), value.to_string()));
    };
    let parts: Option<Vec<String>> = keys
        .iter()
        .map(|key| value.get(key).map(Value::to_string))
        .collect();
    Some((item.key(first).path, parts?.join(", ")))
}
