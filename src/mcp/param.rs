//! Tool arguments that are mirrored in `Mcp-Param-*` headers
//! (2026-07-28, Streamable HTTP, "Custom Headers from Tool Parameters").

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::header;
use crate::json::{self, Object};

const ANNOTATION: &str = "x-mcp-header";

/// Keywords under which a schema may lie that is not a property of every call.
const ELSEWHERE: &[&str] = &[
    "$defs",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "definitions",
    "dependentSchemas",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// One argument that a call repeats in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    path: Vec<String>,
    name: HeaderName,
}

/// An annotation that breaks the rules: clients must not use such a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAnnotation {
    /// Two arguments would share one header.
    #[error("two arguments are mirrored in one header")]
    Duplicate,
    /// The value is no header name.
    #[error("x-mcp-header is no header name")]
    Name,
    /// The annotation is not on a property that every call can have.
    #[error("x-mcp-header is only allowed on properties")]
    Place,
    /// The argument is no string, integer or boolean.
    #[error("x-mcp-header is only allowed on strings, integers and booleans")]
    Type,
}

/// The mirrored arguments of a tool, from the text of its definition.
///
/// # Errors
/// [`InvalidAnnotation`]: the tool is to be left out of the list.
pub fn scan(tool: &str) -> Result<Vec<ParamHeader>, InvalidAnnotation> {
    if memchr::memmem::find(tool.as_bytes(), b"x-mcp-header").is_none() {
        return Ok(Vec::new());
    }
    let schema = Object::parse(tool).and_then(|tool| tool.value("inputSchema"));
    let schema = schema.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut found = Vec::new();
    if let Some(schema) = schema {
        visit(&schema, &mut Vec::new(), true, &mut found)?;
    }
    Ok(found)
}

fn visit(
    schema: &Value,
    path: &mut Vec<String>,
    reachable: bool,
    found: &mut Vec<ParamHeader>,
) -> Result<(), InvalidAnnotation> {
    let Value::Object(members) = schema else {
        return Ok(());
    };
    if let Some(annotation) = members.get(ANNOTATION) {
        if !reachable || path.is_empty() {
            return Err(InvalidAnnotation::Place);
        }
        if !matches!(
            members.get("type").and_then(Value::as_str),
            Some("string" | "integer" | "boolean")
        ) {
            return Err(InvalidAnnotation::Type);
        }
        let name = annotation.as_str().filter(|name| !name.is_empty());
        let name = name.ok_or(InvalidAnnotation::Name)?;
        let name = HeaderName::try_from(format!("{}{name}", header::PARAM_PREFIX))
            .map_err(|_| InvalidAnnotation::Name)?;
        if found.iter().any(|other| other.name == name) {
            return Err(InvalidAnnotation::Duplicate);
        }
        found.push(ParamHeader {
            path: path.clone(),
            name,
        });
    }
    if let Some(Value::Object(properties)) = members.get("properties") {
        for (key, property) in properties {
            path.push(key.clone());
            visit(property, path, reachable, found)?;
            path.pop();
        }
    }
    for keyword in ELSEWHERE {
        match members.get(*keyword) {
            Some(Value::Array(branches)) => {
                for branch in branches {
                    visit(branch, path, false, found)?;
                }
            }
            Some(Value::Object(branches)) => {
                visit(&Value::Object(branches.clone()), path, false, found)?;
                for branch in branches.values() {
                    visit(branch, path, false, found)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The headers that repeat the arguments of one call. Arguments that are
/// absent or null have none.
#[must_use]
pub fn headers(params: &[ParamHeader], arguments: Option<&str>) -> Vec<(HeaderName, HeaderValue)> {
    params
        .iter()
        .filter_map(|param| {
            let text = lookup(arguments?, &param.path)?;
            Some((param.name.clone(), header::encode(&plain(text)?)))
        })
        .collect()
}

/// The first header that does not repeat its argument, if any
/// (a server must compare them; integers are compared as numbers).
///
/// An argument that is absent or null has no header to compare.
#[must_use]
pub fn disagreement<'p>(
    params: &'p [ParamHeader],
    arguments: Option<&str>,
    headers: &HeaderMap,
) -> Option<&'p HeaderName> {
    let repeats = |param: &&ParamHeader| {
        let value = arguments
            .and_then(|text| lookup(text, &param.path))
            .and_then(plain);
        let Some(value) = value else { return true };
        let mut sent = headers
            .get_all(&param.name)
            .iter()
            .map(header::decode)
            .peekable();
        sent.peek().is_some() && sent.all(|sent| sent.is_some_and(|sent| same(&sent, &value)))
    };
    params
        .iter()
        .find(|param| !repeats(param))
        .map(|param| &param.name)
}

fn same(sent: &str, value: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    sent == value || matches!((number(sent), number(value)), (Some(a), Some(b)) if a == b)
}

fn lookup<'a>(arguments: &'a str, path: &[String]) -> Option<&'a str> {
    path.iter()
        .try_fold(arguments, |text, key| Object::parse(text)?.value(key))
}

fn plain(text: &str) -> Option<String> {
    match text.as_bytes().first()? {
        b'"' => json::string(text).map(|value| value.into_owned()),
        b'{' | b'[' | b'n' => None,
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(schema: &str) -> String {
        format!(r#"{{"name":"t","inputSchema":{schema}}}"#)
    }

    #[test]
    fn mirrored_arguments_become_headers_at_any_depth() {
        let tool = tool(
            r#"{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"o":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}},"b":{"type":"boolean","x-mcp-header":"B"}}}"#,
        );
        let params = scan(&tool).unwrap();
        let arguments = r#"{"region":"zürich","o":{"n":42},"b":null}"#;
        let headers = headers(&params, Some(arguments));
        let shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                ("mcp-param-region", "=?base64?esO8cmljaA==?="),
                ("mcp-param-n", "42")
            ]
        );
    }

    #[test]
    fn an_annotation_that_breaks_the_rules_spoils_the_tool() {
        for (schema, error) in [
            (
                r#"{"x-mcp-header":"A","type":"string"}"#,
                InvalidAnnotation::Place,
            ),
            (
                r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#,
                InvalidAnnotation::Place,
            ),
            (
                r#"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}"#,
                InvalidAnnotation::Place,
            ),
            (
                r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
                InvalidAnnotation::Type,
            ),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#,
                InvalidAnnotation::Name,
            ),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
                InvalidAnnotation::Name,
            ),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}}"#,
                InvalidAnnotation::Duplicate,
            ),
        ] {
            assert_eq!(scan(&tool(schema)), Err(error), "{schema}");
        }
    }

    #[test]
    fn headers_must_repeat_the_arguments() {
        let tool = tool(
            r#"{"properties":{"r":{"type":"string","x-mcp-header":"R"},"n":{"type":"integer","x-mcp-header":"N"}}}"#,
        );
        let params = scan(&tool).unwrap();
        let verdict = |arguments: &str, sent: &[(&'static str, &'static str)]| {
            let sent = sent.iter().map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            disagreement(&params, Some(arguments), &sent.collect()).map(HeaderName::as_str)
        };
        let both = r#"{"r":"é","n":42}"#;
        let (r, n) = (("mcp-param-r", "=?base64?w6k=?="), ("mcp-param-n", "42.0"));
        assert_eq!(verdict(both, &[r, n]), None);
        assert_eq!(verdict(both, &[r]), Some("mcp-param-n"));
        assert_eq!(
            verdict(both, &[("mcp-param-r", "e"), n]),
            Some("mcp-param-r")
        );
        assert_eq!(
            verdict(both, &[r, ("mcp-param-n", "43")]),
            Some("mcp-param-n")
        );
        assert_eq!(verdict(r#"{"r":null}"#, &[]), None);
    }

    #[test]
    fn a_tool_without_annotations_has_no_headers() {
        assert_eq!(scan(&tool(r#"{"properties":{}}"#)), Ok(Vec::new()));
    }
}
