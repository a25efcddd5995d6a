//! Fields that are in the API but do nothing yet, in one table.
//!
//! A field is never silently without effect: as long as it has a row in [`REFUSED`], an object
//! that sets it is refused; with a row in [`NOT_ENFORCED`] it is admitted with a warning that
//! status repeats. The step that makes a field work removes its row.

use serde_json::{Map, Value};

use crate::Kind;
use crate::field::{FieldError, FieldPath, Reason};

/// kind, path (`[]` goes through a list) of what must be absent or empty, what to do instead.
const REFUSED: &[(Kind, &str, &str)] = &[
    (Kind::LLMGateway, "spec.budgets", "remove it"),
    (Kind::LLMGateway, "spec.prices", "remove it"),
    (Kind::LLMGateway, "spec.state", "remove it"),
    (
        Kind::AgentPolicy,
        "spec",
        "policies are not enforced, so they are not admitted either",
    ),
];

/// A setting that is admitted although it has no effect yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEnforced {
    kind: Kind,
    /// The field.
    pub field: &'static str,
    /// What that means, for the warning and for the condition.
    pub message: &'static str,
}

const NOT_ENFORCED: &[NotEnforced] = &[
    NotEnforced {
        kind: Kind::LLMGateway,
        field: "spec.rateLimit",
        message: "not enforced yet: requests pass without this limit",
    },
    NotEnforced {
        kind: Kind::LLMGateway,
        field: "spec.guardrails",
        message: "not enforced yet: prompts and answers pass unfiltered",
    },
    NotEnforced {
        kind: Kind::LLMGateway,
        field: "spec.caching",
        message: "not enforced yet: every request goes to the provider",
    },
];

/// What an object sets that does not work yet: errors, and warnings.
#[must_use]
pub fn unsupported(kind: Kind, object: &Value) -> (Vec<FieldError>, Vec<FieldError>) {
    let mut refused = Vec::new();
    for (_, path, instead) in REFUSED.iter().filter(|row| row.0 == kind) {
        at(object, path, FieldPath::root(), &mut |field, value| {
            if !is_empty(value) {
                let message = format!("not supported yet: {instead}");
                refused.push(FieldError::new(field, Reason::NotSupported, message));
            }
        });
    }
    let warnings = not_enforced(kind, object)
        .into_iter()
        .map(|it| FieldError::new(it.field, Reason::NotSupported, it.message))
        .collect();
    (refused, warnings)
}

/// The settings of an object that are admitted although they have no effect yet.
#[must_use]
pub fn not_enforced(kind: Kind, object: &Value) -> Vec<NotEnforced> {
    let set = |field: &str| {
        let pointer = format!("/{}", field.replace('.', "/"));
        object.pointer(&pointer).is_some_and(|value| !is_off(value))
    };
    NOT_ENFORCED
        .iter()
        .filter(|row| row.kind == kind && set(row.field))
        .copied()
        .collect()
}

/// Empty, or a cache that is not turned on.
fn is_off(value: &Value) -> bool {
    is_empty(Some(value)) || value.get("enabled") == Some(&Value::Bool(false))
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(entries)) => Map::is_empty(entries),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => false,
    }
}

/// Calls `visit` for every place that a path names, present or not.
fn at(
    value: &Value,
    path: &str,
    here: FieldPath,
    visit: &mut impl FnMut(FieldPath, Option<&Value>),
) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, through_list) = match step.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (step, false),
    };
    let here = here.child(name);
    let below = value.get(name);
    if through_list {
        let items = below.and_then(Value::as_array).into_iter().flatten();
        for (index, item) in items.enumerate() {
            at(item, rest, here.index(index), visit);
        }
    } else if rest.is_empty() {
        visit(here, below);
    } else if let Some(below) = below {
        at(below, rest, here, visit);
    }
}

#[cfg(test)]
mod tests;
