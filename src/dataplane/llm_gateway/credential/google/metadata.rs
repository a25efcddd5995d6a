//! The metadata server of Google Cloud, which is how Workload Identity Federation
//! for GKE reaches a pod.

use http::{HeaderValue, Request, Uri};
use http_body_util::Full;

use super::super::tokens::{self, Calls};
use crate::upstream::{Issued, NoToken, read_token};

/// The variable that replaces its name, as Google's own clients have it.
pub(super) const HOST: &str = "GCE_METADATA_HOST";

const NAME: &str = "metadata.google.internal";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const FLAVOR: &str = "metadata-flavor";

/// Asks it. `client` may call addresses that no upstream may have.
pub(super) async fn fetch<C: Calls>(client: C, host: Option<String>) -> Result<Issued, String> {
    let host = host.as_deref().unwrap_or(NAME);
    let url: Result<Uri, _> = format!("http://{host}{PATH}").parse();
    let url = url.map_err(|_| format!("{HOST} is no host"))?;
    let from = tokens::place(&url);
    let mut request = Request::new(Full::default());
    *request.uri_mut() = url;
    let google = HeaderValue::from_static("Google");
    request.headers_mut().insert(FLAVOR, google.clone());
    let answer = tokens::call(client, request).await;
    let lacking = |why: &NoToken| {
        format!(
            "{}; outside of Google Cloud write credentialsRef",
            tokens::said(&from, why)
        )
    };
    let (head, body) = answer.map_err(|why| lacking(&why))?;
    let issued = read_token(head.status, &body).map_err(|why| lacking(&why))?;
    // Whoever else answers there does not say so ("Verify metadata server").
    if head.headers.get(FLAVOR) != Some(&google) {
        return Err(format!(
            "no token from {from}: it is no metadata server of Google"
        ));
    }
    Ok(issued)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use agentkube_testkit::{Reply, Upstream};
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::upstream::{TlsRoots, UpstreamClient};

    async fn asked(reply: fn() -> Reply) -> Result<Issued, String> {
        let server = Upstream::start(move |request| {
            assert_eq!(request.path, PATH);
            assert_eq!(request.header(FLAVOR), Some("Google"));
            reply()
        })
        .await;
        let roots = TlsRoots::load().unwrap();
        let client = UpstreamClient::to_metadata(&roots, Duration::from_secs(5));
        fetch(client, Some(server.addr().to_string())).await
    }

    fn token() -> Reply {
        Reply::json(
            200,
            &json!({"access_token": "t-1", "expires_in": 3599, "token_type": "Bearer"}),
        )
    }

    #[tokio::test]
    async fn the_metadata_server_gives_the_pods_token() {
        let issued = asked(|| token().header(FLAVOR, "Google")).await.unwrap();
        assert_eq!(issued.token.expose_secret(), "t-1");
        assert_eq!(issued.lifetime, Some(Duration::from_secs(3599)));
    }

    #[tokio::test]
    async fn whoever_else_answers_there_is_not_believed() {
        let error = asked(token).await.err().unwrap();
        assert_eq!(
            error,
            "no token from 127.0.0.1: it is no metadata server of Google"
        );
    }

    #[tokio::test]
    async fn a_pod_without_an_identity_is_told_what_to_write() {
        let error = asked(|| Reply::status(404)).await.err().unwrap();
        assert!(error.starts_with("no token from 127.0.0.1: it answers 404"));
        assert!(error.ends_with("write credentialsRef"), "{error}");
    }
}
