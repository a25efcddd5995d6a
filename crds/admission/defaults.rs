//! Defaulting, as the API server does it.

use serde_json::{Map, Value};

use crate::{Kind, schema::open_api_schema};

/// The object as the API server would store it: absent fields that have a `default` are filled
/// in, and a null is the same as an absent field. What the user wrote is never changed.
///
/// Filling in twice is the same as once.
#[must_use]
pub fn defaults(kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    fill(open_api_schema(kind), &mut object);
    object
}

fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(entries) => fill_object(schema, entries),
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(schema, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_object(schema: &Value, entries: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        if entries.get(name).is_some_and(Value::is_null) {
            entries.shift_remove(name);
        }
        if let Some(default) = schema.get("default")
            && !entries.contains_key(name)
        {
            entries.insert(name.clone(), default.clone());
        }
        if let Some(value) = entries.get_mut(name) {
            fill(schema, value);
        }
    }
    if let Some(schema) = schema
        .get("additionalProperties")
        .filter(|it| it.is_object())
    {
        entries.retain(|_, value| !value.is_null());
        entries.values_mut().for_each(|value| fill(schema, value));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_and_null_fields_are_filled_in_and_the_rest_is_left_alone() {
        let object = json!({
            "metadata": {"name": "x"},
            "spec": {
                "port": null,
                "replicas": 3,
                "upstreams": [{"name": "a", "kind": "http", "endpoint": "http://a", "auth": {}}],
                "limits": {"sessions": 1},
                "unknown": 1,
            },
        });
        let filled = defaults(Kind::MCP, &object);
        assert_eq!(filled["spec"]["port"], 8080);
        assert_eq!(filled["spec"]["replicas"], 3);
        assert_eq!(filled["spec"]["auth"], json!({"mode": "apikey"}));
        assert_eq!(filled["spec"]["unknown"], 1);
        assert_eq!(filled["spec"]["limits"]["sessionIdle"], "30m");
        assert_eq!(filled["spec"]["limits"]["sessions"], 1);
        let upstream = &filled["spec"]["upstreams"][0];
        assert_eq!(upstream["auth"], json!({"mode": "none"}));
        assert_eq!(
            upstream.get("tools"),
            None,
            "an item keeps absent objects absent"
        );
        assert_eq!(
            upstream.get("transport"),
            None,
            "it belongs to kind http only"
        );
    }

    #[test]
    fn filling_in_twice_is_the_same_as_once() {
        for kind in Kind::ALL {
            let once = defaults(kind, &json!({"spec": {"upstreams": [{}], "rules": [{}]}}));
            assert_eq!(defaults(kind, &once), once, "{kind}");
        }
    }
}
