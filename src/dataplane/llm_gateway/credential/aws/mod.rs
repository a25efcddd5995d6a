//! AWS Signature Version 4 over requests to Bedrock (IAM User Guide, "Signature
//! Version 4 for API requests").

mod client;
mod workload;

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HOST, HeaderMap};

use self::workload::Workload;
use super::super::dial::UpstreamRequest;
use super::PATIENCE;
use super::tokens::Calls;
use crate::upstream::{Token, Tokens};

const SERVICE: &str = "bedrock";

/// What Bedrock calls keys that have expired, or are not known yet or any more.
const REPLACEABLE: [&str; 2] = ["ExpiredTokenException", "UnrecognizedClientException"];

/// Who signs.
pub(in crate::llm_gateway) struct Signer {
    region: String,
    identity: Identity,
}

enum Identity {
    /// Keys of a Secret.
    Keys(Credentials),
    /// Those of the pod's role.
    Workload(Box<dyn Role>),
}

/// The keys of a role, which are good for a while.
pub(in crate::llm_gateway) type RoleKeys = Token<Credentials>;

trait Role: Send + Sync {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<RoleKeys>, String>>;
    fn replaced<'a>(&'a self, refused: &'a Arc<RoleKeys>) -> BoxFuture<'a, bool>;
    fn known(&self) -> Option<Arc<RoleKeys>>;
}

impl<C: Calls> Role for Tokens<Workload<C>> {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<RoleKeys>, String>> {
        Box::pin(self.token())
    }

    fn replaced<'a>(&'a self, refused: &'a Arc<RoleKeys>) -> BoxFuture<'a, bool> {
        Box::pin(async move { matches!(self.instead_of(refused).await, Ok(Some(_))) })
    }

    fn known(&self) -> Option<Arc<RoleKeys>> {
        Tokens::known(self)
    }
}

impl Signer {
    /// Signs with keys that stay.
    pub(super) fn new(region: &str, id: String, secret: String, session: Option<String>) -> Self {
        Self {
            region: region.to_owned(),
            identity: Identity::Keys(Credentials::new(id, secret, session, None, "secret")),
        }
    }

    /// Signs as the pod. `agent` may call addresses that no upstream may have.
    pub(super) fn workload<C: Calls>(region: &str, client: C, agent: C) -> Self {
        let role = Tokens::new(Workload::new(region, client, agent), PATIENCE);
        Self {
            region: region.to_owned(),
            identity: Identity::Workload(Box::new(role)),
        }
    }

    /// True when other keys than these may be accepted after this answer.
    pub(super) async fn may_try_again(
        &self,
        keys: &Arc<RoleKeys>,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        let Identity::Workload(role) = &self.identity else {
            return false;
        };
        if status != StatusCode::FORBIDDEN && status != StatusCode::UNAUTHORIZED {
            keys.accept();
            return false;
        }
        let error = headers.get("x-amzn-errortype");
        let error = error.and_then(|error| error.to_str().ok()).unwrap_or("");
        REPLACEABLE.iter().any(|known| error.starts_with(known)) && role.replaced(keys).await
    }

    /// True when this text holds what must stay between AWS and us.
    pub(super) fn is_quoted_in(&self, text: &[u8]) -> bool {
        let holds = |keys: &Credentials| {
            let secrets = [Some(keys.secret_access_key()), keys.session_token()];
            let mut secrets = secrets.into_iter().flatten();
            secrets.any(|secret| super::holds(text, secret.as_bytes()))
        };
        match &self.identity {
            Identity::Keys(keys) => holds(keys),
            Identity::Workload(role) => role.known().is_some_and(|keys| holds(&keys.value)),
        }
    }

    /// Adds the signature of a request as it is going to be sent: nothing that is
    /// signed may change afterwards.
    pub(super) async fn sign(
        &self,
        request: &mut UpstreamRequest,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Option<Arc<RoleKeys>>, String> {
        let (keys, role) = match &self.identity {
            Identity::Keys(keys) => (keys.clone(), None),
            Identity::Workload(role) => {
                let given = role.keys().await?;
                (given.value.clone(), Some(given))
            }
        };
        let identity = keys.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| unsignable())?
            .into();
        let headers = [HOST, CONTENT_TYPE].map(|name| {
            let value = request.headers().get(&name)?.to_str().ok()?.to_owned();
            Some((name.as_str().to_owned(), value))
        });
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(
            request.method().as_str(),
            uri,
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body),
        );
        let signed = sign(signable.map_err(|_| unsignable())?, &params);
        let (instructions, _) = signed.map_err(|_| unsignable())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(role)
    }
}

fn unsignable() -> String {
    "the request cannot be signed with the AWS keys".to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http_body_util::Full;

    use super::*;

    /// The headers that botocore 1.43 signs the same request with.
    #[tokio::test]
    async fn the_signature_is_that_of_amazons_own_client() {
        let cases = [
            (
                None,
                "914871b48c8359ab47ebacd5bac71661d025f0318669aac8f8b9441e2ecc4aa5",
            ),
            (
                Some("session-token".to_owned()),
                "f9bdb18a1b8b549b610c64fee285186c6006d79e9bdae6c6dd5903fdac656945",
            ),
        ];
        for (session, signature) in cases {
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned();
            let signer = Signer::new("us-east-1", "AKIDEXAMPLE".to_owned(), secret, session);
            let body = Bytes::from_static(b"{\"messages\":[]}");
            let host = "bedrock-runtime.us-east-1.amazonaws.com";
            let mut request = http::Request::post(format!(
                "https://{host}/model/us.anthropic.claude-opus-4-7-v1%3A0/converse"
            ))
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .header("x-request-id", "not signed")
            .body(Full::new(body.clone()))
            .unwrap();
            // 2026-01-02T03:04:05Z
            let now = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
            signer.sign(&mut request, &body, now).await.unwrap();
            assert_eq!(request.headers()["x-amz-date"], "20260102T030405Z");
            let header = request.headers()["authorization"].to_str().unwrap();
            assert!(header.ends_with(signature), "{header}");
        }
    }
}
