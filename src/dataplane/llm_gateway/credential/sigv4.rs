//! AWS Signature Version 4 over requests to Bedrock (IAM User Guide, "Signature
//! Version 4 for API requests").

use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::super::dial::UpstreamRequest;
use super::PATIENCE;

const SERVICE: &str = "bedrock";

/// Who signs.
pub(in crate::llm_gateway) struct Signer {
    region: String,
    identity: Identity,
}

enum Identity {
    /// Keys of a Secret.
    Keys(Credentials),
    /// What the platform gives to the pod: found at the first request, renewed by
    /// the SDK's own chain.
    Workload(OnceCell<Option<SharedCredentialsProvider>>),
}

impl Signer {
    /// Signs with keys that stay.
    pub(super) fn new(region: &str, id: String, secret: String, session: Option<String>) -> Self {
        Self {
            region: region.to_owned(),
            identity: Identity::Keys(Credentials::new(id, secret, session, None, "secret")),
        }
    }

    /// Signs as the pod: web identity, pod identity, and whatever else the SDK's
    /// default chain finds.
    pub(super) fn workload(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            identity: Identity::Workload(OnceCell::new()),
        }
    }

    async fn credentials(&self) -> Result<Credentials, String> {
        let provider = match &self.identity {
            Identity::Keys(keys) => return Ok(keys.clone()),
            Identity::Workload(provider) => provider.get_or_init(|| self.chain()).await,
        };
        let provider = provider.as_ref().ok_or_else(lacking)?;
        let found = timeout(PATIENCE, provider.provide_credentials()).await;
        // The reasons that the chain gives hold addresses and names of roles only,
        // but they are its own and may change: they go nowhere.
        found.map_err(|_| lacking())?.map_err(|_| lacking())
    }

    async fn chain(&self) -> Option<SharedCredentialsProvider> {
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let config = loader.region(Region::new(self.region.clone())).load().await;
        config.credentials_provider()
    }

    /// Adds the signature of a request as it is going to be sent: nothing that is
    /// signed may change afterwards.
    pub(super) async fn sign(
        &self,
        request: &mut UpstreamRequest,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<(), String> {
        let identity = self.credentials().await?.into();
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
        Ok(())
    }
}

fn lacking() -> String {
    "the pod has no AWS credentials: give it a service account with a role \
     (podTemplate.serviceAccountName), or write credentialsRef"
        .to_owned()
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
