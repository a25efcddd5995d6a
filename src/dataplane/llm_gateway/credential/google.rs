//! Tokens of Google: for the JSON key of a service account (RFC 7523, "Using OAuth
//! 2.0 for Server to Server Applications"), and from the metadata server, which is
//! how workload identity reaches a pod.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use tower::Service;

use super::tokens::{self, Ask};
use crate::edge::BoxError;
use crate::upstream::SendError;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The longest that Google accepts: seconds.
const LIFETIME: u64 = 3600;

/// "Metadata server": `GCE_METADATA_HOST` of the environment replaces the name.
const METADATA_HOST: &str = "metadata.google.internal";
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// A service account, ready to sign for itself.
pub(super) struct Account {
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    token_uri: Uri,
}

#[derive(Deserialize)]
struct KeyFile {
    r#type: String,
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

impl Account {
    /// Reads a key file. `local`: the upstream is on this machine, and so may be
    /// the server that gives its tokens.
    pub(super) fn read(json: &str, local: bool) -> Result<Self, &'static str> {
        let file: KeyFile =
            serde_json::from_str(json).map_err(|_| "is no JSON key of a service account")?;
        if file.r#type != "service_account" {
            return Err("is a JSON key of another type than service_account");
        }
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes());
        let token_uri = file.token_uri.as_deref();
        let token_uri: Uri = token_uri
            .unwrap_or("https://oauth2.googleapis.com/token")
            .parse()
            .map_err(|_| "has a token_uri that is no URL")?;
        // Whoever writes the Secret would else be sent what signs for the account.
        let here = local && super::is_loopback(&token_uri.to_string());
        if !is_googles(&token_uri) && !here {
            return Err("has a token_uri that is not Google's");
        }
        Ok(Self {
            email: file.client_email,
            key: key.map_err(|_| "has a private_key that is no RSA key")?,
            key_id: file.private_key_id,
            token_uri,
        })
    }

    /// How its tokens are asked for.
    pub(super) fn ask<C, B>(self, client: C) -> Ask
    where
        C: Service<Request<Full<Bytes>>, Response = Response<B>, Error = SendError, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let account = Arc::new(self);
        Box::new(move || {
            let (account, client) = (Arc::clone(&account), client.clone());
            Box::pin(async move {
                let request = account.request(SystemTime::now())?;
                tokens::fetch(client, request).await
            })
        })
    }

    fn request(&self, now: SystemTime) -> Result<Request<Full<Bytes>>, String> {
        let assertion = self.assertion(now)?;
        let body = tokens::form(&[("grant_type", GRANT), ("assertion", &assertion)]);
        Ok(posted(self.token_uri.clone(), body))
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

/// How the pod's own tokens are asked for.
pub(super) fn metadata<C, B>(client: C) -> Ask
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error = SendError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let host = std::env::var("GCE_METADATA_HOST");
    let url = format!(
        "http://{}{METADATA_PATH}",
        host.as_deref().unwrap_or(METADATA_HOST)
    );
    Box::new(move || {
        let (client, url) = (client.clone(), url.parse::<Uri>());
        Box::pin(async move {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = url.map_err(|_| "GCE_METADATA_HOST is no host".to_owned())?;
            let flavor = HeaderValue::from_static("Google");
            request.headers_mut().insert("metadata-flavor", flavor);
            tokens::fetch(client, request).await
        })
    })
}

/// A form on its way.
pub(super) fn posted(url: Uri, body: Full<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request
}

fn is_googles(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let googles = host.ends_with(".googleapis.com") || host == "accounts.google.com";
    uri.scheme_str() == Some("https") && googles
}
