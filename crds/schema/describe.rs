//! Descriptions as `kubectl explain` wants them: one line a paragraph.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

/// Joins the lines that a doc comment was wrapped into.
pub(super) fn unwrap_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<String> = description
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        *description = paragraphs.join("\n\n");
    }
    schema.title = None;
}

/// `kubectl explain` does not print defaults, so the description says them.
pub(super) fn mention_default(schema: &mut JSONSchemaProps) {
    let default = match schema.default.as_ref().map(|default| &default.0) {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => return,
    };
    if let Some(description) = &mut schema.description {
        *description += &format!(" Default: {default}.");
    }
}
