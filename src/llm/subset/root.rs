//! The root of a tool's schema. Tools of MCP servers have choices there ("either a file or
//! an address"); OpenAI and Anthropic answer all requests that offer such a tool with a 400.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The words of a choice, or of parts that belong together.
const COMBINED: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// True for what can stay as it is: it has a type and no choice, or is no schema.
pub(super) fn is_plain(schema: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Root {
        r#type: Option<IgnoredAny>,
        any_of: Option<IgnoredAny>,
        one_of: Option<IgnoredAny>,
        all_of: Option<IgnoredAny>,
    }
    let Ok(root) = serde_json::from_str::<Root>(schema.get()) else {
        return true;
    };
    let combined = [&root.any_of, &root.one_of, &root.all_of];
    root.r#type.is_some() && combined.iter().all(|it| it.is_none())
}

/// The root with all properties of its parts, and required what every way requires. What
/// that leaves out the description says.
pub(super) fn folded(mut schema: Map<String, Value>) -> Map<String, Value> {
    let mut whole = Map::with_capacity(schema.len() + 1);
    whole.insert(String::from("type"), Value::from("object"));
    let parts: Vec<(&str, Value)> = COMBINED
        .into_iter()
        .filter_map(|name| Some((name, schema.shift_remove(name)?)))
        .collect();
    schema.shift_remove("type");
    whole.extend(schema);
    for (name, part) in &parts {
        let Value::Array(schemas) = part else {
            continue;
        };
        fold(&mut whole, name, schemas);
    }
    if !parts.is_empty() {
        let said = parts.iter().map(|(name, part)| format!("{name}: {part}"));
        let said = said.collect::<Vec<_>>().join(", ");
        let about = whole.get("description").and_then(Value::as_str);
        let about = about.map_or_else(|| said.clone(), |about| format!("{about} ({said})"));
        whole.insert(String::from("description"), Value::from(about));
        whole
            .entry("properties")
            .or_insert_with(|| Value::Object(Map::new()));
    }
    whole
}

fn fold(whole: &mut Map<String, Value>, name: &str, schemas: &[Value]) {
    let schemas: Vec<Map<String, Value>> = schemas
        .iter()
        .filter_map(|it| resolved(whole, it))
        .collect();
    let mut properties = taken(whole, "properties");
    for schema in &schemas {
        if let Some(Value::Object(more)) = schema.get("properties") {
            for (key, value) in more {
                properties
                    .entry(key.clone())
                    .or_insert_with(|| value.clone());
            }
        }
    }
    if !properties.is_empty() {
        whole.insert(String::from("properties"), Value::Object(properties));
    }
    let mut required = required(whole);
    let mut ways = schemas.iter().map(self::required);
    let of_all: Vec<String> = match name {
        "allOf" => ways.flatten().collect(),
        _ => {
            let first = ways.next().unwrap_or_default();
            ways.fold(first, |kept, way| {
                kept.into_iter().filter(|it| way.contains(it)).collect()
            })
        }
    };
    for word in of_all {
        if !required.contains(&word) {
            required.push(word);
        }
    }
    if !required.is_empty() {
        whole.insert(String::from("required"), Value::from(required));
    }
}

/// The schema, or the one that it refers to within the same.
fn resolved(whole: &Map<String, Value>, schema: &Value) -> Option<Map<String, Value>> {
    let schema = schema.as_object()?;
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
        return Some(schema.clone());
    };
    let (list, name) = reference.strip_prefix("#/")?.split_once('/')?;
    let found = whole.get(list)?.get(name)?;
    found.as_object().cloned()
}

fn taken(whole: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match whole.get_mut(name) {
        Some(Value::Object(found)) => std::mem::take(found),
        _ => Map::new(),
    }
}

fn required(schema: &Map<String, Value>) -> Vec<String> {
    let words = schema.get("required").and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}
