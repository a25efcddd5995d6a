use serde_json::json;

use super::*;

fn raw_of(value: &Value) -> Box<RawValue> {
    raw(value).unwrap()
}

fn value_of(schema: &RawValue) -> Value {
    serde_json::from_str(schema.get()).unwrap()
}

/// As Gemini's clients and pydantic write it: nothing is said of further members.
fn city() -> Value {
    json!({
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "parts": {"type": "array", "items": {
                "type": "object",
                "properties": {"name": {"$ref": "#/$defs/name"}},
                "required": ["name"],
            }},
        },
        "required": ["city", "parts"],
        "$defs": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    })
}

fn closed_city() -> Value {
    let mut closed = city();
    closed["additionalProperties"] = json!(false);
    closed["properties"]["parts"]["items"]["additionalProperties"] = json!(false);
    closed
}

#[test]
fn open_objects_are_closed_for_both() {
    let schema = raw_of(&city());
    assert_eq!(value_of(&openai(&schema).unwrap()), closed_city());
    let fitted = anthropic(&schema).unwrap();
    assert_eq!(value_of(&fitted.schema), closed_city());
    assert!(!fitted.looser);
    let again = anthropic(&fitted.schema).unwrap();
    assert_eq!(again.schema.get(), fitted.schema.get());
}

#[test]
fn what_openai_cannot_enforce_is_not_called_strict() {
    let mut optional = city();
    optional["required"] = json!(["city"]);
    let mut map = city();
    map["properties"]["city"] =
        json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut of_any = city();
    of_any["additionalProperties"] = json!(true);
    let mut combined = city();
    combined["properties"]["city"] = json!({"allOf": [{"type": "string"}]});
    let mut with_default = city();
    with_default["properties"]["city"]["default"] = json!("Paris");
    let deep = (0..100).fold(
        json!({"type": "string"}),
        |inner, _| json!({"type": "object", "properties": {"x": inner}, "required": ["x"]}),
    );
    for schema in [
        optional,
        map,
        of_any,
        combined,
        with_default,
        deep,
        json!({"type": "array", "items": {"type": "string"}}),
        json!({"anyOf": [{"type": "object", "properties": {}}]}),
        json!(true),
    ] {
        assert!(openai(&raw_of(&schema)).is_none(), "{schema}");
    }
}

#[test]
fn what_claude_does_not_enforce_is_told_to_it() {
    let schema = json!({
        "type": "object",
        "properties": {
            "score": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How good"},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 5},
            "few": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "when": {"type": "string", "format": "date"},
            "colour": {"type": "string", "format": "colour"},
            "kind": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        },
        "additionalProperties": true,
    });
    let fitted = anthropic(&raw_of(&schema)).unwrap();
    assert!(fitted.looser);
    assert_eq!(
        value_of(&fitted.schema),
        json!({
            "type": "object",
            "properties": {
                "score": {"type": "integer",
                          "description": "How good (minimum: 1, maximum: 10)"},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1,
                         "description": "maxItems: 5"},
                "few": {"type": "array", "items": {"type": "string"},
                        "description": "minItems: 2"},
                "when": {"type": "string", "format": "date"},
                "colour": {"type": "string", "description": "format: \"colour\""},
                "kind": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "additionalProperties": false,
        })
    );
}

#[test]
fn an_object_of_any_members_is_not_made_one_of_none() {
    for schema in [
        json!({"type": "object"}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "object", "properties": {"x": {"type": ["object", "null"]}}}),
    ] {
        assert!(anthropic(&raw_of(&schema)).is_none(), "{schema}");
    }
    let empty = json!({"type": "object", "additionalProperties": false});
    assert!(anthropic(&raw_of(&empty)).is_some());
}

#[test]
fn arguments_are_those_of_an_object() {
    let empty = json!({"type": "object", "properties": {}});
    for (given, expected) in [
        (json!({}), empty.clone()),
        (
            json!({"properties": {"type": {"type": "string"}}}),
            json!({"type": "object", "properties": {"type": {"type": "string"}}}),
        ),
        (json!({"type": "object"}), json!({"type": "object"})),
        (json!(7), json!(7)),
    ] {
        let given = raw_of(&given);
        assert_eq!(value_of(&of_object(Some(&given))), expected);
    }
    assert_eq!(value_of(&of_object(None)), empty);
}

#[test]
fn a_choice_at_the_root_becomes_one_object() {
    let given = json!({
        "type": "object",
        "description": "Attaches",
        "properties": {"page": {"type": "string"}},
        "required": ["page"],
        "anyOf": [
            {"properties": {"content": {"type": "string"}, "name": {"type": "string"}},
             "required": ["content", "name"]},
            {"$ref": "#/$defs/fetched"},
        ],
        "$defs": {"fetched": {"properties": {"url": {"type": "string"}, "name": {"type": "string"}},
                              "required": ["url", "name"]}},
    });
    let folded = value_of(&of_object(Some(&raw_of(&given))));
    assert_eq!(folded.get("anyOf"), None);
    assert_eq!(folded["type"], "object");
    let names: Vec<&String> = folded["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["page", "content", "name", "url"]);
    assert_eq!(folded["required"], json!(["page", "name"]));
    let about = folded["description"].as_str().unwrap();
    assert!(about.starts_with("Attaches (anyOf: [{"), "{about}");
    let together = json!({"allOf": [
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]});
    let folded = value_of(&of_object(Some(&raw_of(&together))));
    assert_eq!(folded["required"], json!(["a", "b"]));
    // Only which members go together is a choice here.
    let ways = json!({"type": "object", "properties": {"a": {}, "b": {}},
                      "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let folded = value_of(&of_object(Some(&raw_of(&ways))));
    assert_eq!(folded.get("required"), None);
    assert_eq!(folded["properties"], json!({"a": {}, "b": {}}));
    // Within a property it is taken.
    let inner = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}});
    assert_eq!(value_of(&of_object(Some(&raw_of(&inner)))), inner);
    for odd in [
        json!({"anyOf": 7}),
        json!({"anyOf": [7, {"$ref": "x"}]}),
        json!([]),
    ] {
        let _ = of_object(Some(&raw_of(&odd)));
    }
}
