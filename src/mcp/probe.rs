//! Finding out how an upstream speaks, and reading its self-description.

use http::StatusCode;

use crate::error;
use crate::json::{self, Object};
use crate::message::{self, Id, Kind, Message};
use crate::meta;
use crate::version::{Era, Version};

/// What an upstream said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The revision to speak with it.
    pub version: Version,
    /// Its capabilities, as JSON text.
    pub capabilities: String,
    /// Its instructions to models.
    pub instructions: Option<String>,
}

/// What the answer to `server/discover` says of an upstream's era.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It speaks a modern revision that we speak too.
    Modern(Offer),
    /// It must be greeted with `initialize`.
    Legacy,
    /// It does not know us: 401 or 403.
    Refused(StatusCode),
    /// It cannot answer now; its era stays unknown.
    Unavailable(StatusCode),
}

/// The question that tells the eras apart.
///
/// A lucky `tools/list` would not: some legacy servers answer modern requests.
#[must_use]
pub fn discover(id: &Id<'_>, client_info: &str) -> String {
    let meta = modern_meta(client_info);
    message::request(id, "server/discover", &format!("{{\"_meta\":{meta}}}"))
}

/// `_meta` of a modern request of our own, as JSON text.
#[must_use]
pub fn modern_meta(client_info: &str) -> String {
    format!(
        "{{\"{}\":\"{}\",\"{}\":{{}},\"{}\":{client_info}}}",
        meta::PROTOCOL_VERSION,
        Version::LATEST,
        meta::CLIENT_CAPABILITIES,
        meta::CLIENT_INFO,
    )
}

/// What we can do when we speak for ourselves: an upstream has nothing to ask.
pub const NO_CAPABILITIES: &str = "{}";

/// The greeting of the legacy era. For a client's session it declares exactly
/// what that client can do, in its revision; `capabilities` is JSON text.
#[must_use]
pub fn initialize(id: &Id<'_>, version: Version, client_info: &str, capabilities: &str) -> String {
    let params = format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{capabilities},\"clientInfo\":{client_info}}}",
        version,
    );
    message::request(id, "initialize", &params)
}

/// Reads the answer to [`discover`].
///
/// Modern only if the answer names a modern revision: there are servers whose
/// answer lists legacy ones only. Any other error than the modern ones means
/// legacy, whatever its code (2026-07-28, Versioning, "Dual-era clients").
#[must_use]
pub fn verdict(status: StatusCode, answer: Option<&Message<'_>>) -> Verdict {
    match answer.map(Message::kind) {
        Some(Kind::Result { result, .. }) if status.is_success() => {
            discovered(result).map_or(Verdict::Legacy, Verdict::Modern)
        }
        Some(Kind::Error { error: text, .. }) => match error::code_of(text) {
            Some(error::HEADER_MISMATCH | error::MISSING_CAPABILITY) => Verdict::Modern(Offer {
                version: Version::LATEST,
                capabilities: "{\"prompts\":{},\"resources\":{},\"tools\":{}}".to_owned(),
                instructions: None,
            }),
            _ => unspoken(status),
        },
        _ => unspoken(status),
    }
}

fn unspoken(status: StatusCode) -> Verdict {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Refused(status),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Verdict::Unavailable(status),
        _ => Verdict::Legacy,
    }
}

fn discovered(result: &str) -> Option<Offer> {
    let result = Object::parse(result)?;
    let versions = result.value("supportedVersions").and_then(json::array)?;
    let version = versions
        .into_iter()
        .filter_map(|text| Version::parse(&json::string(text)?))
        .filter(|version| version.era() == Era::Modern)
        .max()?;
    Some(offer(version, &result))
}

/// Reads the result of `initialize`; `None` when it names no legacy revision
/// that we know.
#[must_use]
pub fn initialized(result: &str) -> Option<Offer> {
    let result = Object::parse(result)?;
    let version = Version::parse(&result.text("protocolVersion")?)?;
    (version.era() == Era::Legacy).then(|| offer(version, &result))
}

fn offer(version: Version, result: &Object<'_>) -> Offer {
    Offer {
        version,
        capabilities: result.value("capabilities").unwrap_or("{}").to_owned(),
        instructions: result.text("instructions").map(|text| text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(status: u16, body: &str) -> Verdict {
        let message = Message::parse(body).ok();
        verdict(StatusCode::from_u16(status).unwrap(), message.as_ref())
    }

    fn discover_result(versions: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"supportedVersions":{versions},"capabilities":{{"tools":{{}}}}}}}}"#
        )
    }

    #[test]
    fn a_server_that_lists_a_modern_revision_is_modern() {
        let body = discover_result(r#"["2025-11-25","2026-07-28"]"#);
        let Verdict::Modern(offer) = verdict_of(200, &body) else {
            panic!("modern")
        };
        assert_eq!(offer.version, Version::V2026_07_28);
        assert_eq!(offer.capabilities, r#"{"tools":{}}"#);
    }

    #[test]
    fn a_server_that_lists_legacy_revisions_only_is_legacy() {
        assert_eq!(
            verdict_of(200, &discover_result(r#"["2025-11-25"]"#)),
            Verdict::Legacy
        );
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"","data":{"supported":["2025-11-25"]}}}"#;
        assert_eq!(verdict_of(400, body), Verdict::Legacy);
    }

    #[test]
    fn any_other_error_is_legacy_whatever_its_code() {
        for (status, code) in [(400, -32000), (200, -32601), (404, -32001), (400, -32600)] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":""}}}}"#);
            assert_eq!(verdict_of(status, &body), Verdict::Legacy);
        }
        assert_eq!(verdict_of(400, "no json"), Verdict::Legacy);
    }

    #[test]
    fn a_server_that_cannot_answer_now_has_no_era_yet() {
        for status in [429, 502, 503, 504] {
            assert!(matches!(verdict_of(status, ""), Verdict::Unavailable(_)));
        }
        assert!(matches!(verdict_of(401, ""), Verdict::Refused(_)));
    }

    #[test]
    fn our_own_questions_are_messages() {
        for text in [
            discover(&Id::from(1), "{}"),
            initialize(&Id::from(1), Version::LATEST_LEGACY, "{}", NO_CAPABILITIES),
        ] {
            Message::decode(text.as_bytes(), 16).unwrap();
        }
    }
}
