//! Tokens of Microsoft Entra ID for a pod with workload identity: its webhook puts
//! a federated token and who it is for into the pod ("Azure AD Workload Identity").

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower::Service;

use super::google::posted;
use super::tokens::{self, Ask};
use crate::edge::BoxError;
use crate::upstream::SendError;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The variables that the webhook sets.
const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";

/// How the pod's tokens for this endpoint are asked for.
pub(super) fn federated<C, B>(base_url: &str, client: C) -> Ask
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error = SendError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let scope = scope(base_url);
    Box::new(move || {
        let client = client.clone();
        Box::pin(async move {
            // Read each time: the kubelet replaces the file.
            let request = request(scope, |name| std::env::var(name).ok()).await?;
            tokens::fetch(client, request).await
        })
    })
}

async fn request(
    scope: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Request<Full<Bytes>>, String> {
    let lacks = |name: &str| {
        format!(
            "there is no {name} in the environment: give the pods a service account with \
             workload identity (podTemplate.serviceAccountName), or write credentialsRef"
        )
    };
    let read = |name: &str| {
        env(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| lacks(name))
    };
    let (tenant, client_id, file) = (read(TENANT)?, read(CLIENT)?, read(TOKEN_FILE)?);
    let authority = env(AUTHORITY).unwrap_or_else(|| "https://login.microsoftonline.com/".into());
    let url = format!(
        "{}/{tenant}/oauth2/v2.0/token",
        authority.trim_end_matches('/')
    );
    let url: Uri = url
        .parse()
        .map_err(|_| format!("{AUTHORITY} or {TENANT} makes no URL"))?;
    let assertion = tokio::fs::read_to_string(&file).await;
    let assertion = assertion.map_err(|error| format!("{TOKEN_FILE} cannot be read: {error}"))?;
    let body = tokens::form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &client_id),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.trim()),
    ]);
    Ok(posted(url, body))
}

/// Azure AI Foundry has an audience of its own.
fn scope(base_url: &str) -> &'static str {
    let uri = base_url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    match host.ends_with(".services.ai.azure.com") {
        true => "https://ai.azure.com/.default",
        false => "https://cognitiveservices.azure.com/.default",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foundry_has_an_audience_of_its_own() {
        let foundry = "https://r.services.ai.azure.com/api/projects/p/openai/v1";
        assert_eq!(scope(foundry), "https://ai.azure.com/.default");
        let openai = "https://r.openai.azure.com/openai/v1";
        assert_eq!(
            scope(openai),
            "https://cognitiveservices.azure.com/.default"
        );
    }

    #[tokio::test]
    async fn what_the_pod_lacks_is_named() {
        let error = request("s", |_| None).await.unwrap_err();
        assert!(error.starts_with("there is no AZURE_TENANT_ID"), "{error}");
    }
}
