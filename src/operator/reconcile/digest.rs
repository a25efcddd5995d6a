//! Asks replicas what they serve, on their admin port.

use std::net::IpAddr;
use std::time::Duration;

use agentkube_plan::{ADMIN_PORT, DigestReport};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// A replica answers from memory.
const TIMEOUT: Duration = Duration::from_secs(2);
/// 64 upstreams with a message each fit easily.
const LARGEST: usize = 1024 * 1024;
/// Replicas that are asked at once.
const AT_ONCE: usize = 16;

/// Reads digest reports over HTTP.
#[derive(Clone)]
pub(crate) struct DigestReader {
    client: Client<HttpConnector, Empty<Bytes>>,
    port: u16,
}

impl DigestReader {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            port,
        }
    }

    /// The reports of some Pods, by name and address, in their order.
    pub(crate) async fn all(
        &self,
        pods: Vec<(String, String)>,
    ) -> Vec<(String, Result<DigestReport, String>)> {
        stream::iter(pods)
            .map(|(name, ip)| async move { (name, self.one(&ip).await) })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn one(&self, ip: &str) -> Result<DigestReport, String> {
        match timeout(TIMEOUT, self.ask(ip)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn ask(&self, ip: &str) -> Result<DigestReport, String> {
        let ip: IpAddr = ip.parse().map_err(|_| format!("{ip:?} is no address"))?;
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let uri = format!("http://{host}:{}/digest", self.port);
        let uri = uri.parse().map_err(|error| format!("{error}"))?;
        let reply = self.client.get(uri).await.map_err(|error| chain(&error))?;
        if !reply.status().is_success() {
            return Err(format!("it answered {}", reply.status()));
        }
        let body = Limited::new(reply.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| format!("not a digest report: {error}"))
    }
}

impl Default for DigestReader {
    fn default() -> Self {
        Self::new(ADMIN_PORT)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
