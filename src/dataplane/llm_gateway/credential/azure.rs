//! Tokens of Microsoft Entra ID for a pod with workload identity: its webhook puts
//! a federated token and who it is for into the pod ("Azure AD Workload Identity").

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;

use super::tokens::{self, Ask, Calls};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The variables that the webhook sets.
const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";

/// How the pod's tokens for this endpoint are asked for.
pub(super) fn federated<C: Calls>(base_url: &str, client: C) -> Ask {
    let scope = scope(base_url);
    Box::new(move || {
        let client = client.clone();
        Box::pin(async move {
            // Read each time: the kubelet replaces the file.
            let request = request(scope, super::environment).await?;
            tokens::fetch(client, request).await.map(Into::into)
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
    let assertion = tokens::file(TOKEN_FILE, &file).await?;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &client_id),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.trim()),
    ];
    Ok(tokens::posted(url, &fields))
}

/// Azure AI Foundry has an audience of its own, and so have the national clouds.
fn scope(base_url: &str) -> &'static str {
    let uri = base_url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    match host {
        host if host.ends_with(".services.ai.azure.com") => "https://ai.azure.com/.default",
        host if host.ends_with(".azure.us") => "https://cognitiveservices.azure.us/.default",
        host if host.ends_with(".azure.cn") => "https://cognitiveservices.azure.cn/.default",
        _ => "https://cognitiveservices.azure.com/.default",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_an_audience_of_its_own() {
        let foundry = "https://r.services.ai.azure.com/api/projects/p/openai/v1";
        assert_eq!(scope(foundry), "https://ai.azure.com/.default");
        for (host, cloud) in [
            ("r.openai.azure.com", "com"),
            ("r.openai.azure.us", "us"),
            ("r.openai.azure.cn", "cn"),
            ("proxy.ai.svc:8080", "com"),
        ] {
            let expected = format!("https://cognitiveservices.azure.{cloud}/.default");
            assert_eq!(scope(&format!("https://{host}/openai/v1")), expected);
        }
    }

    #[tokio::test]
    async fn what_the_pod_lacks_is_named() {
        let error = request("s", |_| None).await.unwrap_err();
        assert!(error.starts_with("there is no AZURE_TENANT_ID"), "{error}");
    }

    #[tokio::test]
    async fn the_federated_token_is_the_assertion() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "a.federated.token\n").unwrap();
        let env = |name: &str| {
            Some(match name {
                TENANT => "tenant".to_owned(),
                CLIENT => "client".to_owned(),
                AUTHORITY => "https://login.microsoftonline.us/".to_owned(),
                _ => file.to_string_lossy().into_owned(),
            })
        };
        let request = request("https://ai.azure.com/.default", env).await.unwrap();
        assert_eq!(
            request.uri(),
            "https://login.microsoftonline.us/tenant/oauth2/v2.0/token"
        );
        let body = http_body_util::BodyExt::collect(request.into_body()).await;
        let body = String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap();
        assert_eq!(
            body,
            "grant_type=client_credentials&client_id=client\
             &scope=https%3A%2F%2Fai.azure.com%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion=a.federated.token"
        );
    }
}
