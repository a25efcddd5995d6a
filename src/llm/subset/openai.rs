//! `strict` of OpenAI: objects are closed and have all of their properties.
//! <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{DEPTH, each, is_object, raw};

/// What it answers with a 400 wherever it stands.
const REFUSED: [&str; 17] = [
    "allOf",
    "contains",
    "default",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxProperties",
    "minProperties",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// The schema with its objects closed. None where it cannot be strict: a property that
/// may be missing, an object of any members.
pub(super) fn openai(schema: &RawValue) -> Option<Box<RawValue>> {
    let mut value: Value = serde_json::from_str(schema.get()).ok()?;
    let root = value.as_object()?;
    if !is_object(root) || root.contains_key("anyOf") {
        return None;
    }
    close(&mut value, DEPTH).then(|| raw(&value)).flatten()
}

fn close(value: &mut Value, depth: usize) -> bool {
    let (Value::Object(schema), Some(depth)) = (value, depth.checked_sub(1)) else {
        return false;
    };
    if REFUSED.iter().any(|name| schema.contains_key(*name)) {
        return false;
    }
    if is_object(schema) && !close_object(schema) {
        return false;
    }
    each(schema, &mut |inner| close(inner, depth))
}

fn close_object(schema: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return false;
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &String| {
        let mut required = required.into_iter().flatten();
        required.any(|word| word.as_str() == Some(name))
    };
    if !properties.keys().all(is_required) {
        return false;
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => {}
        Some(_) => return false,
        None => {
            schema.insert(String::from("additionalProperties"), Value::Bool(false));
        }
    }
    schema
        .entry("required")
        .or_insert_with(|| Value::Array(Vec::new()));
    true
}
