//! What it means that a field is absent.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

/// A null is no value of ours: the API server drops it, so that `endpoint: null` and an absent
/// endpoint are the same.
pub(super) fn drop_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
}

/// An empty list or a null as default only makes objects longer.
pub(super) fn drop_empty_defaults(schema: &mut JSONSchemaProps) {
    let empty = schema
        .default
        .as_ref()
        .is_some_and(|default| match &default.0 {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        });
    if empty {
        schema.default = None;
    }
}

/// A list item keeps an absent object or number absent; what is absent in it has its default all the same
/// when it is used. `kubectl apply` and GitOps tools compare lists as a whole: every field that
/// the API server adds to an item is a difference that never goes away.
pub(super) fn drop_defaults_in_items(schema: &mut JSONSchemaProps) {
    let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items else {
        return;
    };
    for field in item.properties.iter_mut().flat_map(BTreeMap::values_mut) {
        if matches!(field.type_.as_deref(), Some("integer" | "object")) {
            field.default = None;
        }
    }
}
