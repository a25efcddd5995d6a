//! The CEL rules of the definitions, evaluated without an API server.
//!
//! kube-core evaluates the rules of one place; the walk over the object is ours, because a
//! finding needs the path that Kubernetes prints (`spec.prices[gpt-5.1]`), and because the old
//! item of a `listType: map` is the one of the same key, not of the same index.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use kube_core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use crate::field::{FieldError, FieldPath, Reason};
use crate::{Kind, schema::open_api_schema};

static RULES: LazyLock<BTreeMap<Kind, Node>> = LazyLock::new(|| {
    Kind::ALL
        .map(|kind| (kind, Node::of(open_api_schema(kind))))
        .into()
});

thread_local! {
    static VALIDATOR: LazyCell<Validator> = LazyCell::new(Validator::new);
}

/// What the CEL rules of the kind say about an object, and about its change from `old`.
///
/// The object should have its [`defaults`](super::defaults): the rules rely on them. A rule
/// that cannot be evaluated because the object has the wrong shape says nothing, since the
/// schema does.
#[must_use]
pub fn check_cel(kind: Kind, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut found = Vec::new();
    if let Some(node) = RULES.get(&kind) {
        VALIDATOR.with(|validator| node.check(validator, new, old, &FieldPath::root(), &mut found));
    }
    found
}

/// The rules of one place of the schema and of what is below it. Places without rules below
/// them are left out.
#[derive(Default)]
struct Node {
    rules: Option<CompiledSchema>,
    fields: BTreeMap<String, Self>,
    entries: Option<Box<Self>>,
    items: Option<Items>,
}

struct Items {
    node: Box<Node>,
    /// The fields that tell the items of a `listType: map` apart.
    keys: Vec<String>,
}

impl Node {
    fn of(schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let below = |keyword: &str| {
            let node = Self::of(schema.get(keyword).filter(|it| it.is_object())?);
            (!node.is_empty()).then(|| Box::new(node))
        };
        Self {
            rules: own_rules(schema).map(|schema| compile_schema(&schema)),
            fields: properties
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), Self::of(schema)))
                .filter(|(_, node)| !node.is_empty())
                .collect(),
            entries: below("additionalProperties"),
            items: below("items").map(|node| Items {
                node,
                keys: strings(schema.get("x-kubernetes-list-map-keys")),
            }),
        }
    }

    fn is_empty(&self) -> bool {
        self.rules.is_none()
            && self.fields.is_empty()
            && self.entries.is_none()
            && self.items.is_none()
    }

    fn check(
        &self,
        validator: &Validator,
        new: &Value,
        old: Option<&Value>,
        path: &FieldPath,
        found: &mut Vec<FieldError>,
    ) {
        if let Some(rules) = &self.rules
            && let Err(errors) = validator.validate_compiled(rules, new, old)
        {
            found.extend(errors.iter().filter_map(|error| finding(path, error)));
        }
        for (name, node) in &self.fields {
            if let Some(value) = new.get(name) {
                let old = old.and_then(|old| old.get(name));
                node.check(validator, value, old, &path.child(name), found);
            }
        }
        if let (Some(node), Value::Object(entries)) = (&self.entries, new) {
            for (key, value) in entries {
                let old = old.and_then(|old| old.get(key));
                node.check(validator, value, old, &path.key(key), found);
            }
        }
        if let (Some(items), Value::Array(list)) = (&self.items, new) {
            for (index, item) in list.iter().enumerate() {
                let old = items.same(item, old);
                items
                    .node
                    .check(validator, item, old, &path.index(index), found);
            }
        }
    }
}

impl Items {
    /// The old item that this one was.
    fn same<'v>(&self, item: &Value, old: Option<&'v Value>) -> Option<&'v Value> {
        if self.keys.is_empty() {
            return None;
        }
        let mut candidates = old?.as_array()?.iter();
        candidates.find(|old| self.keys.iter().all(|key| old.get(key) == item.get(key)))
    }
}

/// The schema of a place with its own rules only. The types below stay: conversions to CEL
/// values depend on them.
fn own_rules(schema: &Value) -> Option<Value> {
    let rules = schema.get("x-kubernetes-validations")?.clone();
    let mut own = without_rules(schema);
    own.as_object_mut()?
        .insert("x-kubernetes-validations".to_owned(), rules);
    Some(own)
}

fn without_rules(schema: &Value) -> Value {
    match schema {
        Value::Object(entries) => entries
            .iter()
            .filter(|(keyword, _)| {
                !matches!(
                    keyword.as_str(),
                    "x-kubernetes-validations" | "description" | "default"
                )
            })
            .map(|(keyword, value)| (keyword.clone(), without_rules(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_rules).collect(),
        other => other.clone(),
    }
}

fn finding(path: &FieldPath, error: &ValidationError) -> Option<FieldError> {
    if error.kind != ErrorKind::ValidationFailure {
        return None;
    }
    // The path of an evaluation at the root is the rule's own fieldPath: `.region`.
    let field = format!("{path}{}", error.field_path);
    let reason = error.reason.as_deref().and_then(Reason::from_cause);
    Some(FieldError::new(
        field.trim_start_matches('.'),
        reason.unwrap_or(Reason::Invalid),
        error.message.clone(),
    ))
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
