//! JSON-RPC error objects: the codes of the protocol and our own wording.

use std::fmt;

use crate::json::{self, Object};
use crate::version::Version;

/// The text is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// Not a message of the protocol.
pub const INVALID_REQUEST: i64 = -32600;
/// Nobody serves this method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// Parameters that do not fit the method; also an unknown tool or prompt.
pub const INVALID_PARAMS: i64 = -32602;
/// Something failed behind us.
pub const INTERNAL_ERROR: i64 = -32603;
/// An unknown resource, in the legacy era only.
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// A URL must be visited first, in 2025-11-25 only.
pub const URL_ELICITATION_REQUIRED: i64 = -32042;
/// A header disagrees with the body (2026-07-28).
pub const HEADER_MISMATCH: i64 = -32020;
/// The client did not declare a capability that the request needs (2026-07-28).
pub const MISSING_CAPABILITY: i64 = -32021;
/// A revision that the server does not speak (2026-07-28).
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// The `error` member of a response that we make ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// One of the codes of this module.
    pub code: i64,
    /// What is wrong and what to do about it.
    pub message: String,
    /// `data`, as JSON text.
    pub data: Option<String>,
}

impl ErrorObject {
    /// An error without data.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The answer to a tool that does not exist for the caller, whatever the
    /// reason: a filter must not be told from an absent tool.
    #[must_use]
    pub fn unknown_tool(name: &str) -> Self {
        Self::new(INVALID_PARAMS, format!("Unknown tool: {name}"))
    }

    /// The answer to a prompt that does not exist for the caller.
    #[must_use]
    pub fn unknown_prompt(name: &str) -> Self {
        Self::new(INVALID_PARAMS, format!("Unknown prompt: {name}"))
    }

    /// The answer to a method that nothing behind us serves.
    #[must_use]
    pub fn unknown_method(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("Method not found: {method}"))
    }

    /// The answer to a revision that is not served.
    #[must_use]
    pub fn unsupported_version(requested: &str) -> Self {
        let supported = json::quote(Version::LATEST.as_str());
        let requested_text = json::quote(requested);
        Self {
            code: UNSUPPORTED_VERSION,
            message: format!("Unsupported protocol version: {requested}"),
            data: Some(format!(
                "{{\"supported\":[{supported}],\"requested\":{requested_text}}}"
            )),
        }
    }

    /// The object as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let message = json::quote(&self.message);
        match &self.data {
            Some(data) => {
                format!(
                    "{{\"code\":{},\"message\":{message},\"data\":{data}}}",
                    self.code
                )
            }
            None => format!("{{\"code\":{},\"message\":{message}}}", self.code),
        }
    }

    /// The HTTP status under which this error is answered to a modern client:
    /// the statuses of 2026-07-28, Streamable HTTP; what a handler found wrong
    /// travels under 200.
    #[must_use]
    pub fn modern_status(&self) -> http::StatusCode {
        modern_status(self.code)
    }
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// The HTTP status that a modern server gives an error of this code.
#[must_use]
pub fn modern_status(code: i64) -> http::StatusCode {
    match code {
        METHOD_NOT_FOUND => http::StatusCode::NOT_FOUND,
        PARSE_ERROR | INVALID_REQUEST | HEADER_MISMATCH | MISSING_CAPABILITY
        | UNSUPPORTED_VERSION => http::StatusCode::BAD_REQUEST,
        _ => http::StatusCode::OK,
    }
}

/// The HTTP status that says whose fault an error of this code is: 400 the
/// client's, 502 that of who should have answered.
#[must_use]
pub fn fault(code: i64) -> http::StatusCode {
    match code {
        PARSE_ERROR
        | INVALID_REQUEST
        | METHOD_NOT_FOUND
        | INVALID_PARAMS
        | RESOURCE_NOT_FOUND
        | URL_ELICITATION_REQUIRED
        | UNSUPPORTED_VERSION..=HEADER_MISMATCH => http::StatusCode::BAD_REQUEST,
        _ => http::StatusCode::BAD_GATEWAY,
    }
}

/// The code of an error object that came from somebody else.
#[must_use]
pub fn code_of(error: &str) -> Option<i64> {
    Object::parse(error)?.value("code")?.parse().ok()
}

/// The text of an error object that came from somebody else.
#[must_use]
pub fn text_of(error: &str) -> Option<String> {
    let text = Object::parse(error)?
        .value("message")
        .and_then(json::string)?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_the_clients_or_of_who_should_have_answered() {
        for code in [
            -32700, -32600, -32602, -32601, -32002, -32020, -32021, -32022,
        ] {
            assert_eq!(fault(code), http::StatusCode::BAD_REQUEST, "{code}");
        }
        for code in [INTERNAL_ERROR, -32000, 7] {
            assert_eq!(fault(code), http::StatusCode::BAD_GATEWAY, "{code}");
        }
    }

    #[test]
    fn a_name_with_quotes_stays_inside_its_string() {
        let text = ErrorObject::unknown_tool("a\"b\n").to_json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["message"], "Unknown tool: a\"b\n");
        assert_eq!(code_of(&text), Some(INVALID_PARAMS));
    }
}
