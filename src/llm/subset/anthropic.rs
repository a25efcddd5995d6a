//! Structured outputs of Claude, also on Bedrock: objects are closed, and bounds of
//! numbers, texts and lists are not enforced.
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{DEPTH, Fitted, each, is_object, raw};

/// What narrows a schema and is answered with a 400.
const REFUSED: [&str; 25] = [
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "pattern",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedProperties",
    "uniqueItems",
];

/// The forms of texts that are known.
const FORMATS: [&str; 10] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uri",
    "uuid",
];

/// The schema with its objects closed. What is not enforced is told in descriptions,
/// where the model reads it. None where it cannot be said: an object of any members
/// would be one of none.
pub(super) fn anthropic(schema: &RawValue) -> Option<Fitted<'static>> {
    let mut value: Value = serde_json::from_str(schema.get()).ok()?;
    let mut looser = false;
    if !value.is_object() || !fit(&mut value, DEPTH, &mut looser) {
        return None;
    }
    Some(Fitted {
        schema: Cow::Owned(raw(&value)?),
        looser,
    })
}

fn fit(value: &mut Value, depth: usize, looser: &mut bool) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let Value::Object(schema) = value else {
        // `true`: anything.
        return true;
    };
    let told = unenforced(schema);
    if !told.is_empty() {
        *looser = true;
        describe(schema, &told);
    }
    if !schema.contains_key("anyOf")
        && let Some(options) = schema.remove("oneOf")
    {
        schema.insert(String::from("anyOf"), options);
    }
    if is_object(schema) && !close(schema, looser) {
        return false;
    }
    each(schema, &mut |inner| fit(inner, depth, looser))
}

/// Takes out what is refused, and says it in words.
fn unenforced(schema: &mut Map<String, Value>) -> Vec<String> {
    let unknown = |name: &str, value: &Value| match name {
        "format" => !value.as_str().is_some_and(|word| FORMATS.contains(&word)),
        "minItems" => value.as_u64().is_none_or(|least| least > 1),
        _ => REFUSED.contains(&name),
    };
    let refused: Vec<String> = schema
        .iter()
        .filter(|(name, value)| unknown(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    let told = |name: String| {
        let value = schema.shift_remove(&name)?;
        Some(format!("{name}: {value}"))
    };
    refused.into_iter().filter_map(told).collect()
}

fn describe(schema: &mut Map<String, Value>, told: &[String]) {
    let told = told.join(", ");
    let text = match schema.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text} ({told})"),
        None => told,
    };
    schema.insert(String::from("description"), Value::from(text));
}

fn close(schema: &mut Map<String, Value>, looser: &mut bool) -> bool {
    let open = schema.get("additionalProperties") != Some(&Value::Bool(false));
    let has_properties =
        matches!(schema.get("properties"), Some(Value::Object(them)) if !them.is_empty());
    if open && !has_properties {
        return false;
    }
    if open {
        // Who says nothing of further members does not expect them; who allows them may.
        *looser |= schema.contains_key("additionalProperties");
        schema.insert(String::from("additionalProperties"), Value::Bool(false));
    }
    true
}
