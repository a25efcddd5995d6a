//! Which era a client's message belongs to, and whether its headers agree.

use http::{HeaderMap, StatusCode};

use crate::error::{self, ErrorObject};
use crate::header::{self, Agreement};
use crate::json::{self, Object};
use crate::message::{Kind, Message};
use crate::meta;
use crate::method::Method;
use crate::version::{Era, Version};

/// The parameters that a proxy acts on, so that nobody may read them otherwise.
const READ: &[&str] = &[
    "_meta",
    "arguments",
    "cursor",
    "level",
    "name",
    "ref",
    "task",
    "taskId",
    "uri",
];

/// How a client's message is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The revision the client speaks.
    pub version: Version,
}

impl Session {
    /// The era of the revision.
    #[must_use]
    pub fn era(self) -> Era {
        self.version.era()
    }
}

/// An answer that refuses a message before anything was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// The error under it.
    pub error: ErrorObject,
}

impl Refusal {
    fn bad(code: i64, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: ErrorObject::new(code, message),
        }
    }

    fn unsupported(version: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: ErrorObject::unsupported_version(version),
        }
    }

    fn mismatch(message: impl Into<String>) -> Self {
        Self::bad(error::HEADER_MISMATCH, message)
    }
}

/// Decides the era of a message and checks the rules of its transport.
///
/// The body decides: a protocol version in `_meta` makes a request modern, its
/// absence legacy; the headers must agree (2026-07-28, Streamable HTTP,
/// "Request Headers" and Versioning, "Dual-era servers").
///
/// # Errors
/// [`Refusal`] is the answer to give.
pub fn classify(headers: &HeaderMap, message: &Message<'_>) -> Result<Session, Refusal> {
    if let Some(params) = message.params() {
        let ambiguous = |error: json::Ambiguous| {
            Refusal::bad(error::INVALID_PARAMS, format!("params: {error}"))
        };
        params.distinct(READ).map_err(ambiguous)?;
        if let Some(meta) = message.meta() {
            meta.distinct(meta::READ_DISTINCT).map_err(ambiguous)?;
        }
    }
    let announced = announced_version(headers)?;
    match message
        .meta()
        .and_then(|meta| meta.value(meta::PROTOCOL_VERSION))
    {
        Some(claim) => modern(headers, message, announced.as_deref(), claim),
        None => unclaimed(headers, message, announced.as_deref()),
    }
}

/// The revision that the headers of a request announce which carries no message.
///
/// # Errors
/// [`Refusal`] is the answer to an unknown one (2025-11-25, Transports, "Protocol
/// Version Header").
pub fn announced(headers: &HeaderMap) -> Result<Option<Version>, Refusal> {
    let announced = announced_version(headers)?;
    announced
        .map(|text| Version::parse(&text).ok_or_else(|| Refusal::unsupported(&text)))
        .transpose()
}

fn announced_version(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut found: Option<String> = None;
    for value in headers.get_all(header::PROTOCOL_VERSION) {
        let value = header::decode(value)
            .ok_or_else(|| Refusal::mismatch("the MCP-Protocol-Version header is unreadable"))?;
        if found.as_ref().is_some_and(|first| *first != value) {
            return Err(Refusal::mismatch(
                "two different MCP-Protocol-Version headers",
            ));
        }
        found = Some(value);
    }
    Ok(found)
}

fn modern(
    headers: &HeaderMap,
    message: &Message<'_>,
    announced: Option<&str>,
    claim: &str,
) -> Result<Session, Refusal> {
    let claim = json::string(claim).ok_or_else(|| {
        let text = format!("_meta[\"{}\"] must be a string", meta::PROTOCOL_VERSION);
        Refusal::bad(error::INVALID_PARAMS, text)
    })?;
    let is_request = matches!(message.kind(), Kind::Request { .. });
    match announced {
        Some(announced) if announced != claim => {
            return Err(Refusal::mismatch(format!(
                "the MCP-Protocol-Version header says {announced}, _meta says {claim}"
            )));
        }
        None if is_request => {
            return Err(Refusal::mismatch(
                "the MCP-Protocol-Version header is missing",
            ));
        }
        _ => {}
    }
    let version = match Version::parse(&claim) {
        Some(version) if version.era() == Era::Modern => version,
        _ => {
            return Err(Refusal::unsupported(&claim));
        }
    };
    if is_request {
        modern_request(headers, message)?;
    } else {
        let method = message.method().unwrap_or_default();
        if header::compare(headers, &header::METHOD, method) == Agreement::Different {
            return Err(Refusal::mismatch(
                "the Mcp-Method header disagrees with the body",
            ));
        }
    }
    Ok(Session { version })
}

fn modern_request(headers: &HeaderMap, message: &Message<'_>) -> Result<(), Refusal> {
    let capabilities = message
        .meta()
        .and_then(|meta| meta.value(meta::CLIENT_CAPABILITIES));
    if capabilities.and_then(Object::parse).is_none() {
        let text = format!("_meta[\"{}\"] must be an object", meta::CLIENT_CAPABILITIES);
        return Err(Refusal::bad(error::INVALID_PARAMS, text));
    }
    let name = message.method().unwrap_or_default();
    let method = Method::parse(name);
    if method.is_legacy_only() {
        let error = ErrorObject::unknown_method(name);
        return Err(Refusal {
            status: StatusCode::NOT_FOUND,
            error,
        });
    }
    repeats(headers, &header::METHOD, "Mcp-Method", name)?;
    // The extension came later than the header, and some clients leave it out.
    let optional = method == Method::Task && !headers.contains_key(&header::NAME);
    if let Some(key) = method.named_by().filter(|_| !optional) {
        let named = message.param(key).ok_or_else(|| missing_param(key))?;
        repeats(headers, &header::NAME, "Mcp-Name", &named)?;
    }
    Ok(())
}

/// The refusal of a request without the parameter that names its object.
fn missing_param(key: &str) -> Refusal {
    Refusal::bad(
        error::INVALID_PARAMS,
        format!("params.{key} must be a string"),
    )
}

fn repeats(
    headers: &HeaderMap,
    name: &http::HeaderName,
    shown: &str,
    value: &str,
) -> Result<(), Refusal> {
    match header::compare(headers, name, value) {
        Agreement::Equal => Ok(()),
        Agreement::Missing => Err(Refusal::mismatch(format!("the {shown} header is missing"))),
        Agreement::Different => Err(Refusal::mismatch(format!(
            "the {shown} header disagrees with the body"
        ))),
    }
}

fn unclaimed(
    headers: &HeaderMap,
    message: &Message<'_>,
    announced: Option<&str>,
) -> Result<Session, Refusal> {
    let Some(announced) = announced else {
        return Ok(Session {
            version: Version::ASSUMED,
        });
    };
    let is_request = matches!(message.kind(), Kind::Request { .. });
    match Version::parse(announced) {
        Some(version) if version.era() == Era::Modern && is_request => {
            let text = format!(
                "a request of {version} needs _meta[\"{}\"] and _meta[\"{}\"]",
                meta::PROTOCOL_VERSION,
                meta::CLIENT_CAPABILITIES
            );
            Err(Refusal::bad(error::INVALID_PARAMS, text))
        }
        Some(version) if version.era() == Era::Modern => {
            let method = message.method().unwrap_or_default();
            if header::compare(headers, &header::METHOD, method) == Agreement::Different {
                return Err(Refusal::mismatch(
                    "the Mcp-Method header disagrees with the body",
                ));
            }
            Ok(Session { version })
        }
        Some(version) => Ok(Session { version }),
        // `initialize` negotiates in its body; the header is of no account.
        None if message.method() == Some("initialize") => Ok(Session {
            version: Version::LATEST_LEGACY,
        }),
        None => Err(Refusal::unsupported(announced)),
    }
}

#[cfg(test)]
mod tests;
