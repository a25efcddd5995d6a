//! A schema violation in words, at its field path.

use agentkube_crds::{FieldError, Reason, nearest};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use serde_json::Value;

use super::Place;
use crate::findings::Findings;

/// Adds the finding of one violation. A value is repeated only where the legal
/// ones are listed: elsewhere it may be a credential in the wrong place.
pub(super) fn explain(structural: &Value, error: &ValidationError<'_>, out: &mut Findings) {
    let place = place(structural, error);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for field in unexpected {
                out.errors.push(unknown_field(&place, field));
            }
        }
        ValidationErrorKind::Required { property } => {
            let field = place.key(property.as_str().unwrap_or_default());
            let message = match summary(field.schema) {
                Some(summary) => format!("required: {summary}"),
                None => "required".to_owned(),
            };
            push(out, &field, Reason::Required, message);
        }
        ValidationErrorKind::Type { kind } => wrong_type(&place, kind, error.instance(), out),
        ValidationErrorKind::Enum { options } => {
            // A wrong type has been said already, with the legal values.
            if let Some(text) = error.instance().as_str() {
                out.errors.push(unknown_value(&place, text, options));
            }
        }
        other => {
            let (reason, message) = bound(other, error);
            push(out, &place, reason, message);
        }
    }
}

fn place<'v>(structural: &'v Value, error: &ValidationError<'_>) -> Place<'v> {
    let mut place = Place {
        schema: structural,
        value: None,
        path: String::new(),
    };
    for segment in error.instance_path().segments() {
        place = match segment {
            LocationSegment::Index(index) if place.schema.get("items").is_some() => {
                place.index(index)
            }
            LocationSegment::Index(index) => place.key(&index.to_string()),
            LocationSegment::Property(name) => place.key(&name),
        };
    }
    place
}

fn push(out: &mut Findings, place: &Place<'_>, reason: Reason, message: String) {
    out.errors.push(FieldError {
        field: place.path.clone(),
        reason,
        message,
        suggestion: None,
    });
}

fn unknown_field(place: &Place<'_>, field: &str) -> FieldError {
    let known = place
        .schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let near = nearest(field, known.map(|(name, _)| name.as_str()));
    FieldError {
        field: place.key(field).path,
        reason: Reason::Invalid,
        message: "unknown field".to_owned(),
        suggestion: near.map(str::to_owned),
    }
}

fn wrong_type(place: &Place<'_>, expected: &TypeKind, got: &Value, out: &mut Findings) {
    let options = place.schema.get("enum").and_then(Value::as_array);
    let (message, suggestion) = match (options, got) {
        (Some(options), Value::Bool(got)) => (
            format!(
                "got the boolean {got}; legal values are {} (YAML reads a bare yes, no, on or off \
                 as a boolean)",
                listed(options)
            ),
            None::<String>,
        ),
        (Some(options), _) => (
            format!("got {}; legal values are {}", kind(got), listed(options)),
            None,
        ),
        (None, Value::Bool(_) | Value::Number(_)) if wants_text(expected) => (
            format!("a string is wanted, not {}: quote it", kind(got)),
            None,
        ),
        (None, _) => (
            format!("{} is wanted, not {}", wanted(expected), kind(got)),
            None,
        ),
    };
    let reason = Reason::TypeInvalid;
    out.errors.push(FieldError {
        field: place.path.clone(),
        reason,
        message,
        suggestion,
    });
}

fn unknown_value(place: &Place<'_>, text: &str, options: &Value) -> FieldError {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let near = nearest(text, options.iter().filter_map(Value::as_str));
    FieldError {
        field: place.path.clone(),
        reason: Reason::NotSupported,
        message: format!(
            "{text:?} is not a legal value; legal values are {}",
            listed(options)
        ),
        suggestion: near.map(str::to_owned),
    }
}

fn bound(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> (Reason, String) {
    match kind {
        ValidationErrorKind::Minimum { limit } => (Reason::Invalid, format!("at least {limit}")),
        ValidationErrorKind::Maximum { limit } => (Reason::Invalid, format!("at most {limit}")),
        ValidationErrorKind::MinLength { limit: 1 } => {
            (Reason::Required, "must not be empty".to_owned())
        }
        ValidationErrorKind::MinLength { limit } => {
            (Reason::Invalid, format!("at least {limit} characters"))
        }
        ValidationErrorKind::MaxLength { limit } => {
            (Reason::TooLong, format!("at most {limit} characters"))
        }
        ValidationErrorKind::MinItems { limit: 1 }
        | ValidationErrorKind::MinProperties { limit: 1 } => {
            (Reason::Required, "must not be empty".to_owned())
        }
        ValidationErrorKind::MinItems { limit } | ValidationErrorKind::MinProperties { limit } => {
            (Reason::Invalid, format!("at least {limit} entries"))
        }
        ValidationErrorKind::MaxItems { limit } | ValidationErrorKind::MaxProperties { limit } => {
            (Reason::TooMany, format!("at most {limit} entries"))
        }
        ValidationErrorKind::Pattern { pattern } => (Reason::Invalid, form(pattern)),
        _ => (Reason::Invalid, error.masked_with("the value").to_string()),
    }
}

/// The patterns of our schemas that have a name; CEL's rules explain themselves.
fn form(pattern: &str) -> String {
    if pattern.contains("[KMGTPE]i") {
        "write a quantity such as 64Mi, 500m or 2".to_owned()
    } else if pattern == r"^[0-9]{1,9}(\.[0-9]{1,9})?$" {
        "write an amount of dollars such as \"25.00\"".to_owned()
    } else {
        format!("must match {pattern}")
    }
}

/// The first sentence of a description.
fn summary(schema: &Value) -> Option<String> {
    let text = schema.get("description")?.as_str()?;
    let first = text.split(". ").next()?.split(": ").next()?;
    Some(first.trim_end_matches('.').to_owned())
}

fn listed(options: &[Value]) -> String {
    let texts: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
    texts.join(", ")
}

fn wants_text(expected: &TypeKind) -> bool {
    wanted(expected) == "a string"
}

fn wanted(expected: &TypeKind) -> String {
    let name = match expected {
        TypeKind::Single(single) => single.to_string(),
        TypeKind::Multiple(set) => {
            let names: Vec<String> = (*set).into_iter().map(|one| one.to_string()).collect();
            let names: Vec<String> = names.into_iter().filter(|name| name != "null").collect();
            names.join(" or ")
        }
    };
    match name.as_str() {
        "array" => "a list".to_owned(),
        "object" => "a map".to_owned(),
        "integer" => "an integer".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
