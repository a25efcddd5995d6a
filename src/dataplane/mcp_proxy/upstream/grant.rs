//! The client-credentials grant (RFC 6749, 4.4): what is sent to a token
//! endpoint. No connection is made here.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;

use crate::source::SecretValue;
use crate::upstream::{NoToken, form_encoded};

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

/// True when the same secret, put elsewhere, may be accepted.
pub(super) fn may_be_the_style(why: &NoToken) -> bool {
    match why {
        NoToken::Refused { status, code } => {
            *status == StatusCode::UNAUTHORIZED
                || matches!(code, Some("invalid_client" | "invalid_request"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::upstream::read_token;

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
    fn a_refusal_is_told_by_its_code_and_not_in_the_servers_words() {
        let body = br#"{"error":"invalid_client","error_description":"secret s3cr3t is wrong"}"#;
        let refused = read_token(StatusCode::UNAUTHORIZED, body).err().unwrap();
        let text = "it answers 401 Unauthorized (invalid_client)";
        assert_eq!(refused.to_string(), text);
        assert!(may_be_the_style(&refused));
        let refused = read_token(StatusCode::BAD_GATEWAY, br#"{"error":"s3cr3t"}"#);
        let refused = refused.err().unwrap();
        assert_eq!(refused.to_string(), "it answers 502 Bad Gateway");
        assert!(!may_be_the_style(&refused));
    }
}
