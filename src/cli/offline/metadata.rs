//! Labels and annotations: what the API server refuses of them without a field,
//! and what it takes although it means nothing to us. No webhook ever sees the
//! first, and the second is silence: a Pod that is not wired.

use agentkube_crds::{FieldError, FieldPath, GROUP, Reason, keys, nearest};
use agentkube_webhooks::Verdict;
use serde_json::Value;

const LABELS: [&str; 7] = [
    keys::WIRE,
    keys::STRICT,
    keys::RUNTIME,
    keys::CLIENT_OF,
    keys::OF_AGENT,
    keys::OF_LLM_GATEWAY,
    keys::OF_MCP,
];

const ANNOTATIONS: [&str; 10] = [
    keys::LLM_GATEWAY,
    keys::MCP,
    keys::MCP_JSON,
    keys::WIRED_BY,
    keys::WIRED_HASH,
    keys::APPROVE_TOOLS,
    keys::RUN,
    keys::SYNC,
    keys::CLIENT,
    keys::TARGET,
];

/// Checks `metadata` of an object or of a Pod template.
pub(super) fn check(object: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    entries(object, "labels", &LABELS, &ANNOTATIONS, &mut verdict);
    entries(object, "annotations", &ANNOTATIONS, &LABELS, &mut verdict);
    verdict
}

fn entries(object: &Value, field: &str, known: &[&str], elsewhere: &[&str], out: &mut Verdict) {
    let path = FieldPath::metadata().child(field);
    let entries = object
        .pointer(&format!("/metadata/{field}"))
        .and_then(Value::as_object);
    for (key, value) in entries.into_iter().flatten() {
        let at = path.key(key);
        match value.as_str() {
            None => out.errors.push(not_a_string(at, value)),
            Some(text) => out
                .warnings
                .extend(misread(at, key, text, known, elsewhere)),
        }
    }
}

/// YAML reads `true` and `8` as what they look like; the API server takes only
/// strings here, and its message names no field.
fn not_a_string(path: FieldPath, value: &Value) -> FieldError {
    let message = format!("{value} is not a string: quote it");
    FieldError::new(path, Reason::TypeInvalid, message).suggest(format!("\"{value}\""))
}

fn misread(
    path: FieldPath,
    key: &str,
    value: &str,
    known: &[&str],
    elsewhere: &[&str],
) -> Option<FieldError> {
    let (domain, _) = key.split_once('/')?;
    if domain != GROUP && nearest(domain, [GROUP]).is_none() {
        return None;
    }
    if known.contains(&key) {
        let switch = key == keys::WIRE || key == keys::STRICT;
        let reads = !switch || matches!(value, "true" | "false");
        let message = "only \"true\" and \"false\" mean something here";
        return (!reads).then(|| FieldError::new(path, Reason::NotSupported, message));
    }
    if elsewhere.contains(&key) {
        let place = match elsewhere.contains(&keys::WIRE) {
            true => "labels",
            false => "annotations",
        };
        let message = format!("means nothing here; it belongs to the {place}");
        return Some(FieldError::new(path, Reason::NotSupported, message));
    }
    let error = FieldError::new(path, Reason::NotSupported, "nothing of ours is called so");
    let near = nearest(key, known.iter().chain(elsewhere).copied());
    Some(match near {
        Some(near) => error.suggest(near),
        None => error,
    })
}
