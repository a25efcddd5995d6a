//! The JSON key of a service account, traded for tokens (RFC 7523; "Using OAuth 2.0
//! for Server to Server Applications").

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use super::super::tokens::{self, Calls};
use super::{SCOPE, googles, posted};
use crate::upstream::Issued;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The longest that Google accepts: seconds.
const LIFETIME: u64 = 3600;

/// A service account, ready to sign for itself.
pub(in crate::llm_gateway) struct ServiceAccount {
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    token_uri: Uri,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    pub(super) fn read(json: &str, local: bool) -> Result<Self, &'static str> {
        let file: KeyFile =
            serde_json::from_str(json).map_err(|_| "is no JSON key of a service account")?;
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes());
        let token_uri = file.token_uri.as_deref();
        let token_uri = token_uri.unwrap_or("https://oauth2.googleapis.com/token");
        Ok(Self {
            email: file.client_email,
            key: key.map_err(|_| "has a private_key that is no RSA key")?,
            key_id: file.private_key_id,
            token_uri: googles(token_uri, local).ok_or("has a token_uri that is not Google's")?,
        })
    }

    pub(super) async fn fetch<C: Calls>(&self, client: C) -> Result<Issued, String> {
        tokens::fetch(client, self.request(SystemTime::now())?).await
    }

    fn request(&self, now: SystemTime) -> Result<Request<Full<Bytes>>, String> {
        let assertion = self.assertion(now)?;
        let fields = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        Ok(posted(&self.token_uri, &fields))
    }

    fn assertion(&self, now: SystemTime) -> Result<String, String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri.to_string(),
            iat: now,
            exp: now + LIFETIME,
        };
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map_err(|_| "the service account's key cannot sign".to_owned())
    }
}
