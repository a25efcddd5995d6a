//! Every string, list and map has a bound, or the API server would reckon with the largest
//! request and refuse the CEL rules for their cost. Our own types state theirs; the types of
//! Kubernetes (affinity, tolerations, label selectors, conditions) state none.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrBool,
};

const STRING: i64 = 1024;
const LIST: i64 = 64;
const MAP: i64 = 64;
/// Of a condition, as apimachinery validates it.
const MESSAGE: i64 = 32768;

pub(super) fn fill(schema: &mut JSONSchemaProps) {
    match schema.type_.as_deref() {
        Some("string") if schema.enum_.is_none() && schema.format.is_none() => {
            schema.max_length.get_or_insert(STRING);
        }
        Some("array") => {
            schema.max_items.get_or_insert(LIST);
        }
        Some("object") => {
            if let Some(JSONSchemaPropsOrBool::Schema(_)) = schema.additional_properties {
                schema.max_properties.get_or_insert(MAP);
            }
            if is_condition(schema) {
                bound_condition(schema);
            }
        }
        _ => {}
    }
}

fn is_condition(schema: &JSONSchemaProps) -> bool {
    schema
        .properties
        .as_ref()
        .is_some_and(|fields| fields.contains_key("lastTransitionTime"))
}

fn bound_condition(schema: &mut JSONSchemaProps) {
    let message = schema
        .properties
        .as_mut()
        .and_then(|fields| fields.get_mut("message"));
    if let Some(message) = message {
        message.max_length = Some(MESSAGE);
    }
}
