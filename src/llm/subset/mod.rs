//! Schemas that an answer has to keep to: each provider that enforces them takes a part
//! of JSON Schema only, and answers the rest with a 400.
//!
//! Those who wrote a schema for the same rules are left alone. Others cannot know them,
//! so their schemas are brought into the part that is taken, where that says the same;
//! where it does not, the caller tells the client.

mod anthropic;
mod openai;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
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
    let is_theirs = to.is_from(Dialect::OpenAiChat) || to.is_from(Dialect::OpenAiResponses);
    let enforces = to.capabilities.max_tokens_field == MaxTokensField::MaxCompletionTokens;
    if is_theirs || !enforces || strict != Some(true) {
        return (Cow::Borrowed(schema), strict);
    }
    match openai(schema) {
        Some(closed) => (Cow::Owned(closed), strict),
        None => (Cow::Borrowed(schema), Some(false)),
    }
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

/// The schema of a tool's arguments, which must say that it is one of an object.
pub(crate) fn of_object(parameters: Option<&RawValue>) -> Cow<'_, RawValue> {
    const EMPTY: &str = r#"{"type":"object","properties":{}}"#;
    #[derive(Deserialize)]
    struct Typed {
        r#type: Option<IgnoredAny>,
    }
    let empty = || {
        let empty = RawValue::from_string(EMPTY.to_owned());
        Cow::Owned(empty.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    };
    let Some(parameters) = parameters else {
        return empty();
    };
    let typed = serde_json::from_str::<Typed>(parameters.get());
    if !typed.is_ok_and(|it| it.r#type.is_none()) {
        return Cow::Borrowed(parameters);
    }
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(parameters.get()) else {
        return Cow::Borrowed(parameters);
    };
    if members.is_empty() {
        return empty();
    }
    let mut whole = Map::with_capacity(members.len() + 1);
    whole.insert(String::from("type"), Value::from("object"));
    whole.extend(members);
    raw(&Value::Object(whole)).map_or(Cow::Borrowed(parameters), Cow::Owned)
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
