//! What the answers of token endpoints mean (RFC 6749, 5), whoever asks.

use std::fmt::Write;
use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::{LONGEST, SendError};

/// The error codes of RFC 6749, 4.1.2.1 and 5.2, and of RFC 8693, 2.2.2. Others are
/// not repeated: they are the server's own words, and might quote what it was sent.
const CODES: [&str; 8] = [
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// A token that was given to us.
pub(crate) struct Issued {
    pub(crate) token: SecretString,
    /// `None` when the server does not say.
    pub(crate) lifetime: Option<Duration>,
}

/// Why there is no token. Texts hold nothing of what was sent or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoToken {
    /// No head of an answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Not in time.
    #[error("no answer within {}ms", .0.as_millis())]
    Slow(Duration),
    /// The answer broke off, or does not end.
    #[error("its answer cannot be read to its end")]
    Cut,
    /// It refuses.
    #[error("it answers {status}{}", .code.map(|code| format!(" ({code})")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The code of RFC 6749, 5.2.
        code: Option<&'static str>,
    },
    /// Not what the grant promises.
    #[error("its answer holds no access_token that a header can carry")]
    Garbled,
    /// A token that is not sent as a bearer token.
    #[error("its token is of another type than Bearer")]
    OtherType,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// The token in an answer.
pub(crate) fn read_token(status: StatusCode, body: &[u8]) -> Result<Issued, NoToken> {
    if status != StatusCode::OK {
        let said = serde_json::from_slice::<Refusal>(body).ok();
        let known = |code: &&str| said.as_ref().is_some_and(|said| said.error == *code);
        let code = CODES.into_iter().find(known);
        return Err(NoToken::Refused { status, code });
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NoToken::Garbled)?;
    let token = answer.access_token.filter(|token| !token.is_empty());
    let token = token.ok_or(NoToken::Garbled)?.into();
    // RFC 6749, 5.1 requires the type; servers that leave it out mean Bearer.
    let kind = answer.token_type.as_deref().unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("Bearer") {
        return Err(NoToken::OtherType);
    }
    let lifetime = answer.expires_in.as_ref().and_then(seconds);
    Ok(Issued { token, lifetime })
}

/// A number, or, as some servers have it, a number in a string.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    let seconds = seconds.clamp(0.0, LONGEST.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}

/// A form of these fields.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push('&');
        }
        // Writing into a String cannot fail.
        let _ = write!(body, "{name}={}", form_encoded(value.as_bytes()));
    }
    body
}

/// `application/x-www-form-urlencoded` (WHATWG URL, 5.2).
pub(crate) fn form_encoded(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn lifetimes_are_read_as_servers_write_them() {
        let lifetime = |text: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"bearer"{text}}}"#);
            let issued = read_token(StatusCode::OK, body.as_bytes()).unwrap();
            assert_eq!(issued.token.expose_secret(), "t");
            issued.lifetime
        };
        assert_eq!(lifetime(""), None);
        assert_eq!(
            lifetime(r#","expires_in":90"#),
            Some(Duration::from_secs(90))
        );
        let text = r#","expires_in":"90""#;
        assert_eq!(lifetime(text), Some(Duration::from_secs(90)));
        assert_eq!(lifetime(r#","expires_in":-1"#), Some(Duration::ZERO));
        assert_eq!(lifetime(r#","expires_in":1e300"#), Some(LONGEST));
    }

    #[test]
    fn what_is_no_bearer_token_is_refused() {
        let fails = |body: &str| read_token(StatusCode::OK, body.as_bytes()).err().unwrap();
        assert_eq!(fails("<html>"), NoToken::Garbled);
        assert_eq!(fails(r#"{"access_token":""}"#), NoToken::Garbled);
        let mac = r#"{"access_token":"t","token_type":"mac"}"#;
        assert_eq!(fails(mac), NoToken::OtherType);
    }
}
