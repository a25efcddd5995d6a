//! From a structural schema as a CRD has it to a JSON Schema that says the same.
//!
//! They differ in four points: a structural schema is closed without saying so
//! (unknown fields are pruned), `nullable` and `x-kubernetes-int-or-string` are
//! keywords of its own, and metadata is not described.

use serde_json::{Map, Value, json};

/// The schema with what every object carries besides its `spec`.
pub(super) fn completed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let common = json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        // Dropped from what a user writes, so nothing in it can be wrong.
        "status": {"x-kubernetes-preserve-unknown-fields": true},
        "metadata": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "namespace": {"type": "string"},
                "labels": texts,
                "annotations": texts,
            },
            "x-kubernetes-preserve-unknown-fields": true,
        },
    });
    if let (Some(Value::Object(properties)), Value::Object(common)) =
        (schema.get_mut("properties"), common)
    {
        properties.extend(common);
    }
    schema
}

/// The JSON Schema that means what the structural schema means.
pub(super) fn closed(schema: &Value) -> Value {
    let Some(source) = schema.as_object() else {
        return schema.clone();
    };
    let mut target = Map::new();
    for (keyword, value) in source {
        match keyword.as_str() {
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let closed = properties.map(|(name, schema)| (name.clone(), closed(schema)));
                target.insert(keyword.clone(), Value::Object(closed.collect()));
            }
            "items" | "additionalProperties" => {
                target.insert(keyword.clone(), closed(value));
            }
            // Without meaning for validation, or translated below. Formats of
            // integers are bounded by minimum and maximum already.
            "description" | "default" | "format" | "nullable" | "title" | "example" => {}
            _ if keyword.starts_with("x-kubernetes-") => {}
            _ => {
                target.insert(keyword.clone(), value.clone());
            }
        }
    }
    let is_set = |keyword: &str| source.get(keyword) == Some(&Value::Bool(true));
    if is_set("x-kubernetes-int-or-string") {
        target.remove("anyOf");
        target.insert("type".to_owned(), json!(["integer", "string"]));
    }
    let open = is_set("x-kubernetes-preserve-unknown-fields");
    if source.contains_key("properties") && !source.contains_key("additionalProperties") && !open {
        target.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if is_set("nullable") {
        admit_null(&mut target);
    }
    Value::Object(target)
}

fn admit_null(schema: &mut Map<String, Value>) {
    if let Some(kind) = schema.get_mut("type") {
        let mut kinds = match kind.take() {
            Value::Array(kinds) => kinds,
            one => vec![one],
        };
        kinds.push(json!("null"));
        *kind = Value::Array(kinds);
    }
    if let Some(Value::Array(options)) = schema.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
}
