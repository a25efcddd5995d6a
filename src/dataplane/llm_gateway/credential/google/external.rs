//! Workload Identity Federation: a token of the platform that the pod runs on,
//! traded for one of Google (RFC 8693; AIP-4117).

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::tokens::{self, Calls};
use super::{SCOPE, googles, posted};
use crate::source::SecretValue;
use crate::upstream::{Issued, NoToken};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What a token of a service account is asked for: seconds.
const LIFETIME: u64 = 3600;

/// An external account, ready to be traded.
pub(in crate::llm_gateway) struct External {
    audience: String,
    subject_token_type: String,
    token_url: Uri,
    impersonation: Option<Uri>,
    file: String,
    /// The member of the file that holds the token; none: the file is the token.
    member: Option<String>,
}

#[derive(Deserialize)]
struct AccountFile {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: Source,
}

#[derive(Deserialize)]
struct Source {
    file: Option<String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    r#type: Option<String>,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
}

impl External {
    pub(super) fn read(json: &str, local: bool) -> Result<Self, &'static str> {
        let file: AccountFile =
            serde_json::from_str(json).map_err(|_| "is no JSON of an external account")?;
        let format = file.credential_source.format;
        let member = match format.r#type.as_deref() {
            None | Some("text") => None,
            Some(_) => format.subject_token_field_name,
        };
        let impersonation = file.service_account_impersonation_url.map(|url| {
            googles(&url, local)
                .ok_or("has a service_account_impersonation_url that is not Google's")
        });
        Ok(Self {
            audience: file.audience,
            subject_token_type: file.subject_token_type,
            token_url: googles(&file.token_url, local)
                .ok_or("has a token_url that is not Google's")?,
            impersonation: impersonation.transpose()?,
            // A URL, a program or AWS would have us call what no upstream may be.
            file: file
                .credential_source
                .file
                .ok_or("has a credential_source that is no file")?,
            member,
        })
    }

    pub(super) async fn fetch<C: Calls>(&self, client: C) -> Result<Issued, String> {
        let subject = self.subject().await?;
        let fields = [
            ("grant_type", GRANT),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", &self.subject_token_type),
            ("subject_token", &subject),
        ];
        let federated = tokens::fetch(client.clone(), posted(&self.token_url, &fields)).await?;
        match &self.impersonation {
            None => Ok(federated),
            Some(url) => impersonate(client, url, federated).await,
        }
    }

    /// The platform's token. Read each time: it is replaced before it expires.
    async fn subject(&self) -> Result<String, String> {
        let text = tokens::file("the external account's credential_source", &self.file).await?;
        let Some(member) = &self.member else {
            return Ok(text.trim().to_owned());
        };
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let token = json.as_ref().and_then(|json| json.get(member)?.as_str());
        let missing = || format!("the external account's credential_source has no {member:?}");
        token.map(str::to_owned).ok_or_else(missing)
    }
}

/// A token of the service account that the federated identity may be.
async fn impersonate<C: Calls>(client: C, url: &Uri, federated: Issued) -> Result<Issued, String> {
    let body = json!({"scope": [SCOPE], "lifetime": format!("{LIFETIME}s")});
    let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let bytes = federated.token.expose_secret().as_bytes().to_vec();
    let bearer = SecretValue::new(bytes).and_then(|value| value.header("Bearer "));
    let from = tokens::place(url);
    let bearer = bearer.ok_or_else(|| tokens::said(&from, &NoToken::Garbled))?;
    headers.insert(AUTHORIZATION, bearer);
    let answer = tokens::call(client, request).await;
    let (head, body) = answer.map_err(|why| tokens::said(&from, &why))?;
    if !head.status.is_success() {
        let refused = NoToken::Refused {
            status: head.status,
            code: None,
        };
        return Err(tokens::said(&from, &refused));
    }
    let given: Impersonated =
        serde_json::from_slice(&body).map_err(|_| tokens::said(&from, &NoToken::Garbled))?;
    Ok(Issued {
        token: given.access_token.into(),
        lifetime: Some(Duration::from_secs(LIFETIME)),
    })
}

#[cfg(test)]
mod tests {
    use agentkube_testkit::{Reply, Request as Seen, Upstream};

    use super::*;
    use crate::upstream::{TlsRoots, UpstreamClient};

    /// Google's token exchange, and the account that may be impersonated.
    fn google(request: &Seen) -> Reply {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        if request.path == "/impersonate" {
            assert_eq!(request.header("authorization"), Some("Bearer federated"));
            assert_eq!(request.json()["scope"], json!([SCOPE]));
            let answer = json!({"accessToken": "own", "expireTime": "2030-01-01T00:00:00Z"});
            return Reply::json(200, &answer);
        }
        assert_eq!(request.path, "/v1/token");
        for field in [
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
            "audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1",
            "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt",
            "requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
        ] {
            assert!(body.contains(field), "{body}");
        }
        if !body.ends_with("&subject_token=platform.token") {
            return Reply::json(
                400,
                &json!({"error": "invalid_grant", "error_description": body}),
            );
        }
        let answer = json!({"access_token": "federated", "token_type": "Bearer",
            "issued_token_type": ACCESS_TOKEN, "expires_in": 3600});
        Reply::json(200, &answer)
    }

    async fn traded(token: &str, format: Value, impersonates: bool) -> Result<Issued, String> {
        let server = Upstream::start(google).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token).unwrap();
        let url = impersonates.then(|| server.url("/impersonate"));
        let json = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/projects/1",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": server.url("/v1/token"),
            "service_account_impersonation_url": url,
            "credential_source": {"file": file, "format": format},
        });
        let account = External::read(&json.to_string(), true).unwrap();
        let client = UpstreamClient::new(&TlsRoots::load().unwrap(), Duration::from_secs(5));
        account.fetch(client).await
    }

    #[tokio::test]
    async fn the_platforms_token_is_traded() {
        let issued = traded("platform.token\n", json!({}), false).await.unwrap();
        assert_eq!(issued.token.expose_secret(), "federated");
        assert_eq!(issued.lifetime, Some(Duration::from_secs(3600)));
    }

    #[tokio::test]
    async fn the_federated_identity_may_be_a_service_account() {
        let format = json!({"type": "json", "subject_token_field_name": "t"});
        let issued = traded(r#"{"t": "platform.token"}"#, format, true).await;
        assert_eq!(issued.unwrap().token.expose_secret(), "own");
    }

    #[tokio::test]
    async fn a_refusal_does_not_repeat_the_token() {
        let error = traded("s3cr3t", json!({}), false).await.err().unwrap();
        let text = "no token from 127.0.0.1: it answers 400 Bad Request (invalid_grant)";
        assert_eq!(error, text);
    }

    #[test]
    fn sources_that_would_call_somebody_are_refused() {
        let json = json!({
            "audience": "a", "subject_token_type": "t",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"url": "http://169.254.169.254/metadata"},
        });
        let error = External::read(&json.to_string(), false).err().unwrap();
        assert_eq!(error, "has a credential_source that is no file");
    }
}
