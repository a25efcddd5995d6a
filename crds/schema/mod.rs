//! From the Rust types to CustomResourceDefinitions that an API server accepts.
//!
//! The derive does most of it. What it does not do is done here in code, one concern a
//! function, so that the YAML is never edited by hand.

mod bounds;
mod describe;
mod numbers;
mod presence;
mod roots;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::Kind;

static CRDS: LazyLock<BTreeMap<Kind, CustomResourceDefinition>> =
    LazyLock::new(|| Kind::ALL.map(|kind| (kind, finished(kind))).into());

static SCHEMAS: LazyLock<BTreeMap<Kind, Value>> = LazyLock::new(|| {
    CRDS.iter()
        .map(|(kind, crd)| (*kind, open_api(crd)))
        .collect()
});

/// The four definitions, ordered by kind.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    CRDS.values().cloned().collect()
}

/// The definition of one kind.
#[must_use]
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    CRDS.get(&kind).cloned().unwrap_or_default()
}

/// All definitions as one YAML stream: what `agentkube crds` prints.
#[must_use]
pub fn yaml() -> String {
    Kind::ALL.map(yaml_of).join("---\n")
}

/// The definition of one kind as a YAML document.
#[must_use]
pub fn yaml_of(kind: Kind) -> String {
    let value = CRDS.get(&kind).map(to_value).unwrap_or_default();
    crate::yaml_text::print(&value)
}

/// `openAPIV3Schema` of a kind, as the API server has it.
#[must_use]
pub fn open_api_schema(kind: Kind) -> &'static Value {
    SCHEMAS.get(&kind).unwrap_or(&Value::Null)
}

fn finished(kind: Kind) -> CustomResourceDefinition {
    let mut crd = kind.derived();
    for version in &mut crd.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(root) = schema {
            roots::finish(kind, root);
            walk(root, &mut presence::drop_nullable);
            walk(root, &mut presence::drop_empty_defaults);
            walk(root, &mut numbers::portable_formats);
            walk(root, &mut bounds::fill);
            walk(root, &mut describe::unwrap_lines);
            walk(root, &mut describe::mention_default);
            walk(root, &mut presence::drop_defaults_in_items);
        }
    }
    crd
}

/// Calls `change` for a schema and everything in it, the outer one first.
fn walk(schema: &mut JSONSchemaProps, change: &mut impl FnMut(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(BTreeMap::values_mut) {
        walk(property, change);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        walk(items, change);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        walk(values, change);
    }
}

fn open_api(crd: &CustomResourceDefinition) -> Value {
    let mut value = to_value(crd);
    value
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema")
        .map(Value::take)
        .unwrap_or_default()
}

/// The JSON of a definition. Whole numbers are written without a fraction.
fn to_value(crd: &CustomResourceDefinition) -> Value {
    #[expect(clippy::expect_used, reason = "a definition has only strings as keys")]
    let mut value = serde_json::to_value(crd).expect("a definition is JSON");
    whole_numbers(&mut value);
    value
}

fn whole_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(entries) => entries.values_mut().for_each(whole_numbers),
        Value::Number(number) => {
            if let Some(whole) = numbers::whole(number) {
                *value = Value::from(whole);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
