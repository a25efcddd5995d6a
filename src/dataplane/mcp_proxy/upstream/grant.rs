//! The client-credentials grant (RFC 6749, 4.4): what is sent to a token
//! endpoint, and what its answer means. No connection is made here.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::source::SecretValue;
use crate::upstream::SendError;

/// No token lives longer, for us: more would only overflow clocks.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The error codes of RFC 6749, 5.2. Others are not repeated: they are the
/// server's own words, and might quote what it was sent.
const CODES: [&str; 6] = [
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// Who asks, and for what.
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) secret: Arc<SecretValue>,
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
}

/// Where the client secret is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `Authorization: Basic`, which every server must take (RFC 6749, 2.3.1).
    Header,
    /// The body, which some servers insist on.
    Body,
}

/// A token that was given to us.
pub(super) struct Issued {
    pub(super) token: SecretString,
    /// `None` when the server does not say.
    pub(super) lifetime: Option<Duration>,
}

/// Why there is no token. Texts hold nothing of what was sent or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::mcp_proxy) enum NoToken {
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

impl Grant {
    /// The request for a token.
    pub(super) fn request(&self, url: &Uri, style: Style) -> Request<Full<Bytes>> {
        let mut body = "grant_type=client_credentials".to_owned();
        let mut field = |name: &str, value: &[u8]| {
            // Writing into a String cannot fail.
            let _ = write!(body, "&{name}={}", form_encoded(value));
        };
        if !self.scopes.is_empty() {
            field("scope", self.scopes.join(" ").as_bytes());
        }
        if let Some(audience) = &self.audience {
            field("audience", audience.as_bytes());
        }
        if style == Style::Body {
            field("client_id", self.client_id.as_bytes());
            field("client_secret", self.secret.expose());
        }
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        if let (Style::Header, Some(value)) = (style, self.basic()) {
            headers.insert(AUTHORIZATION, value);
        }
        request
    }

    /// RFC 6749, 2.3.1: both parts are encoded before they are joined.
    fn basic(&self) -> Option<HeaderValue> {
        let id = form_encoded(self.client_id.as_bytes());
        let pair = format!("{id}:{}", form_encoded(self.secret.expose()));
        SecretValue::new(STANDARD.encode(pair).into_bytes())?.header("Basic ")
    }
}

impl NoToken {
    /// True when the same secret, put elsewhere, may be accepted.
    pub(super) fn may_be_the_style(&self) -> bool {
        match self {
            Self::Refused { status, code } => {
                *status == StatusCode::UNAUTHORIZED
                    || matches!(code, Some("invalid_client" | "invalid_request"))
            }
            _ => false,
        }
    }
}

/// The token in an answer.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Issued, NoToken> {
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

/// `application/x-www-form-urlencoded` (WHATWG URL, 5.2).
fn form_encoded(text: &[u8]) -> String {
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
    use http_body_util::BodyExt;
    use secrecy::ExposeSecret;

    use super::*;

    async fn sent(style: Style) -> (Option<String>, String) {
        let grant = Grant {
            client_id: "agent:s".to_owned(),
            secret: Arc::new(SecretValue::new(b"p w&%".to_vec()).unwrap()),
            scopes: vec!["tools.read".to_owned(), "tools.call".to_owned()],
            audience: Some("https://tools".to_owned()),
        };
        let url = Uri::from_static("https://id.example.com/token?tenant=a");
        let (head, body) = grant.request(&url, style).into_parts();
        assert_eq!((head.method, head.uri), (http::Method::POST, url));
        let authorization = head.headers.get(AUTHORIZATION).map(|value| {
            assert!(value.is_sensitive());
            value.to_str().unwrap().to_owned()
        });
        let body = body.collect().await.unwrap().to_bytes();
        (authorization, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn id_and_secret_are_encoded_before_they_are_joined() {
        let (authorization, body) = sent(Style::Header).await;
        let pair = STANDARD.encode("agent%3As:p+w%26%25");
        assert_eq!(authorization, Some(format!("Basic {pair}")));
        assert_eq!(
            body,
            "grant_type=client_credentials&scope=tools.read+tools.call&audience=https%3A%2F%2Ftools"
        );
    }

    #[tokio::test]
    async fn the_secret_is_in_the_header_or_in_the_body_and_never_in_both() {
        let (authorization, body) = sent(Style::Body).await;
        assert_eq!(authorization, None);
        assert!(body.ends_with("&client_id=agent%3As&client_secret=p+w%26%25"));
    }

    #[test]
    fn lifetimes_are_read_as_servers_write_them() {
        let lifetime = |text: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"bearer"{text}}}"#);
            let issued = read(StatusCode::OK, body.as_bytes()).unwrap();
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
    fn a_refusal_is_told_by_its_code_and_not_in_the_servers_words() {
        let body = br#"{"error":"invalid_client","error_description":"secret s3cr3t is wrong"}"#;
        let refused = read(StatusCode::UNAUTHORIZED, body).err().unwrap();
        let text = "it answers 401 Unauthorized (invalid_client)";
        assert_eq!(refused.to_string(), text);
        assert!(refused.may_be_the_style());
        let refused = read(StatusCode::BAD_GATEWAY, br#"{"error":"s3cr3t"}"#);
        let refused = refused.err().unwrap();
        assert_eq!(refused.to_string(), "it answers 502 Bad Gateway");
        assert!(!refused.may_be_the_style());
    }

    #[test]
    fn what_is_no_bearer_token_is_refused() {
        let fails = |body: &str| read(StatusCode::OK, body.as_bytes()).err().unwrap();
        assert_eq!(fails("<html>"), NoToken::Garbled);
        assert_eq!(fails(r#"{"access_token":""}"#), NoToken::Garbled);
        let mac = r#"{"access_token":"t","token_type":"mac"}"#;
        assert_eq!(fails(mac), NoToken::OtherType);
    }
}
