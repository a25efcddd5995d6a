//! Schemas that an answer has to keep to: each provider that enforces them takes a part
//! of JSON Schema only, and answers the rest with a 400.
//!
//! Those who wrote a schema for the same rules are left alone. Others cannot know them,
//! so their schemas are brought into the part that is taken, where that says the same;
//! where it does not, the caller tells the client.

mod anthropic;
mod openai;
mod root;

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use anthropic::anthropic;
use openai::openai;

use crate::Dialect;
use crate::capabilities::MaxTokensField;
use crate::codec::Encode;

/// How deep schemas are followed; deeper ones are taken for too much.
const DEPTH: usize = 64;

/// A schema as a provider takes it.
#[derive(Debug)]
pub(crate) struct Fitted<'a> {
    /// The schema.
    pub(crate) schema: Cow<'a, RawValue>,
    /// It allows more than the client's.
    pub(crate) looser: bool,
}

/// For OpenAI's wires: the schema, and whether it is strict. Other servers of these take
/// all of JSON Schema.
pub(crate) fn for_openai<'a>(
    schema: &'a RawValue,
    strict: Option<bool>,
    to: &Encode<'_>,
) -> (Cow<'a, RawValue>, Option<bool>) {
    if is_openais(to) || !enforces(to) || strict != Some(true) {
        return (Cow::Borrowed(schema), strict);
    }
    match openai(schema) {
        Some(closed) => (Cow::Owned(closed), strict),
        None => (Cow::Borrowed(schema), Some(false)),
    }
}

/// True for a request that was written for OpenAI.
fn is_openais(to: &Encode<'_>) -> bool {
    to.is_from(Dialect::OpenAiChat) || to.is_from(Dialect::OpenAiResponses)
}

/// True for OpenAI itself, which is particular about schemas.
fn enforces(to: &Encode<'_>) -> bool {
    to.capabilities.max_tokens_field == MaxTokensField::MaxCompletionTokens
}

/// For Claude's wires: the schema; none where it cannot be said there.
pub(crate) fn for_anthropic<'a>(schema: &'a RawValue, to: &Encode<'_>) -> Option<Fitted<'a>> {
    let is_theirs = to.is_from(Dialect::AnthropicMessages) || to.is_from(Dialect::BedrockConverse);
    if is_theirs {
        return Some(Fitted {
            schema: Cow::Borrowed(schema),
            looser: false,
        });
    }
    anthropic(schema)
}

/// The arguments of a tool that Claude shall keep to; none where it cannot.
pub(crate) fn strict_arguments<'a>(
    parameters: Option<&'a RawValue>,
    to: &Encode<'_>,
) -> Option<Cow<'a, RawValue>> {
    let Some(parameters) = parameters else {
        return Some(of_object(None));
    };
    let fitted = for_anthropic(parameters, to).filter(|it| !it.looser)?;
    Some(fitted.schema)
}

/// The arguments of a tool for OpenAI's wires: the schema, and whether it is strict.
pub(crate) fn arguments_for_openai<'a>(
    parameters: &'a RawValue,
    strict: Option<bool>,
    to: &Encode<'_>,
) -> (Cow<'a, RawValue>, Option<bool>) {
    let (schema, kept) = for_openai(parameters, strict, to);
    if is_openais(to) || !enforces(to) || kept == Some(true) {
        return (schema, kept);
    }
    (of_object(Some(parameters)), kept)
}

/// The schema of a tool's arguments, as those take it that insist on an object: it must
/// say that it is one, and be no choice among several.
pub(crate) fn of_object(parameters: Option<&RawValue>) -> Cow<'_, RawValue> {
    const EMPTY: &str = r#"{"type":"object","properties":{}}"#;
    let empty = || {
        let empty = RawValue::from_string(EMPTY.to_owned());
        Cow::Owned(empty.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    };
    let Some(parameters) = parameters else {
        return empty();
    };
    if root::is_plain(parameters) {
        return Cow::Borrowed(parameters);
    }
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(parameters.get()) else {
        return Cow::Borrowed(parameters);
    };
    if members.is_empty() {
        return empty();
    }
    let whole = raw(&Value::Object(root::folded(members)));
    whole.map_or(Cow::Borrowed(parameters), Cow::Owned)
}

/// True for a schema of objects.
fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(word)) => word == "object",
        Some(Value::Array(words)) => words.iter().any(|word| word == "object"),
        _ => schema.contains_key("properties"),
    }
}

/// The schemas within one: `false` where one of them is none.
fn each(schema: &mut Map<String, Value>, visit: &mut dyn FnMut(&mut Value) -> bool) -> bool {
    const MAPS: [&str; 3] = ["properties", "$defs", "definitions"];
    const LISTS: [&str; 3] = ["anyOf", "allOf", "prefixItems"];
    for name in MAPS {
        if let Some(Value::Object(schemas)) = schema.get_mut(name)
            && !schemas.values_mut().all(&mut *visit)
        {
            return false;
        }
    }
    for name in LISTS {
        if let Some(Value::Array(schemas)) = schema.get_mut(name)
            && !schemas.iter_mut().all(&mut *visit)
        {
            return false;
        }
    }
    schema.get_mut("items").is_none_or(visit)
}

fn raw(value: &Value) -> Option<Box<RawValue>> {
    RawValue::from_string(value.to_string()).ok()
}

#[cfg(test)]
mod tests;
