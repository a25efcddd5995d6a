//! Schemas of strings that have a form. Where the form has a name that a person knows, a CEL
//! rule says so in words; a bare `pattern` would answer with a regular expression.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A DNS label of at most 32 characters: the name of an upstream.
pub(crate) fn dns_label_32(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": "write a DNS label: lower-case letters, digits and '-', beginning and \
                        ending with a letter or digit",
        }],
    })
}

/// An http or https URL.
pub(crate) fn http_url(_: &mut SchemaGenerator) -> Schema {
    url(
        "self.matches('^(?i:https?)://[^/?#@\\\\s]+([/?][^#\\\\s]*)?$')",
        "write an http:// or https:// URL without user, password or fragment",
    )
}

/// An http or https URL below which paths are added.
pub(crate) fn base_url(_: &mut SchemaGenerator) -> Schema {
    url(
        "self.matches('^(?i:https?)://[^/?#@\\\\s]+(/[^?#\\\\s]*)?$')",
        "write an http:// or https:// URL without user, password, query or fragment",
    )
}

/// A redis or rediss URL.
pub(crate) fn redis_url(_: &mut SchemaGenerator) -> Schema {
    url(
        "self.matches('^(?i:rediss?)://[^/?#@\\\\s]+(/[^?#\\\\s]*)?$')",
        "write a redis:// or rediss:// URL without user, password or fragment",
    )
}

/// A part of a host name, or one step of a path.
pub(crate) fn url_part(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[A-Za-z0-9]([._:-]?[A-Za-z0-9])*$')",
            "message": "write letters and digits, with single '-', '.', '_' or ':' between them",
        }],
    })
}

fn url(rule: &str, message: &str) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 2048,
        "x-kubernetes-validations": [{"rule": rule, "message": message}],
    })
}

/// An exact model name.
pub(crate) fn model_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "x-kubernetes-validations": [{
            "rule": "!self.contains('*')",
            "message": "write one model's exact name, without '*'",
        }],
    })
}

/// A model name, or a prefix of model names with a `*` at the end.
pub(crate) fn model_pattern(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[^*]*[*]?$')",
            "message": "'*' may stand only at the end, as in gpt-5*",
        }],
    })
}

/// At most 256 model patterns.
pub(crate) fn model_patterns_256(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 256,
        "items": model_pattern(generator),
    })
}

/// At most 1024 tool names or globs.
pub(crate) fn tool_patterns_1024(_: &mut SchemaGenerator) -> Schema {
    tool_patterns(1024)
}

/// At most 256 tool names or globs.
pub(crate) fn tool_patterns_256(_: &mut SchemaGenerator) -> Schema {
    tool_patterns(256)
}

// A CEL rule here would cost more than the API server grants: 64 upstreams × 1024 names. The
// webhook says it in words.
fn tool_patterns(max: u32) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": max,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "pattern": r"^[^?\[\]]*$",
        },
    })
}
