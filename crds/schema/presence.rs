//! What it means that a field is absent.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
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
