//! Gemini's schemas, a subset of OpenAPI 3.0 → JSON Schema.
//! <https://ai.google.dev/api/caching#Schema>

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// How deep schemas are followed; what is deeper stays as it is.
const DEPTH: usize = 64;

/// The schema as JSON Schema has it. What is none stays as it is.
pub(super) fn to_json_schema(schema: &RawValue) -> Box<RawValue> {
    let read = serde_json::from_str::<Value>(schema.get());
    let written = read.map(|value| converted(value, DEPTH).to_string());
    let written = written
        .ok()
        .and_then(|text| RawValue::from_string(text).ok());
    written.unwrap_or_else(|| schema.to_owned())
}

fn converted(value: Value, depth: usize) -> Value {
    let Value::Object(members) = value else {
        return value;
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Value::Object(members);
    };
    let mut out = Map::with_capacity(members.len());
    let mut nullable = false;
    for (name, value) in members {
        let value = match name.as_str() {
            "nullable" => {
                nullable = value == Value::Bool(true);
                continue;
            }
            // The order of the model's output: JSON Schema has no word for it.
            "propertyOrdering" | "property_ordering" => continue,
            "type" => match value.as_str() {
                Some("TYPE_UNSPECIFIED") => continue,
                Some(word) => Value::from(word.to_ascii_lowercase()),
                None => value,
            },
            "properties" | "$defs" | "defs" => each(value, depth),
            "items" | "additionalProperties" => converted(value, depth),
            "anyOf" | "any_of" | "oneOf" | "allOf" | "prefixItems" => all(value, depth),
            // Whole numbers are text in proto's JSON.
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties" => number(value),
            _ => value,
        };
        out.insert(json_name(&name).to_owned(), value);
    }
    if nullable {
        allow_null(&mut out);
    }
    Value::Object(out)
}

/// Proto's JSON takes either spelling of a name.
fn json_name(name: &str) -> &str {
    match name {
        "any_of" => "anyOf",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "defs" => "$defs",
        other => other,
    }
}

fn each(value: Value, depth: usize) -> Value {
    let Value::Object(members) = value else {
        return value;
    };
    let members = members.into_iter();
    let converted = members.map(|(name, it)| (name, converted(it, depth)));
    Value::Object(converted.collect())
}

fn all(value: Value, depth: usize) -> Value {
    let Value::Array(items) = value else {
        return value;
    };
    Value::Array(items.into_iter().map(|it| converted(it, depth)).collect())
}

fn number(value: Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
        Some(number) => Value::from(number),
        None => value,
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get_mut("type")
        && kind.is_string()
    {
        *kind = json!([kind.clone(), "null"]);
    } else if let Some(Value::Array(options)) = schema.get_mut("anyOf") {
        options.push(json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geminis_words_become_those_of_json_schema() {
        let raw = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "enum": ["a"], "nullable": true},
                "n": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
                "u": {"anyOf": [{"type": "NUMBER"}], "nullable": true},
            },
            "propertyOrdering": ["n"],
            "required": ["n"],
        });
        let raw = RawValue::from_string(raw.to_string()).unwrap();
        let found: Value = serde_json::from_str(to_json_schema(&raw).get()).unwrap();
        let expected = json!({
            "type": "object",
            "properties": {
                "type": {"type": ["string", "null"], "enum": ["a", null]},
                "n": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
                "u": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            },
            "required": ["n"],
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_deep_or_no_schema_stays() {
        let deep = format!("{}{}", r#"{"items":"#.repeat(100), "1") + &"}".repeat(100);
        let raw = RawValue::from_string(deep).unwrap();
        assert_eq!(to_json_schema(&raw).get(), raw.get());
        let raw = RawValue::from_string("7".into()).unwrap();
        assert_eq!(to_json_schema(&raw).get(), "7");
    }
}
