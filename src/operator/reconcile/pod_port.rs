//! A port of our own in Pods, asked over HTTP. Answers are bounded in time and size.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// Who answers does so from memory.
const TIMEOUT: Duration = Duration::from_secs(2);
/// 64 upstreams with a message each, and as many tools as can be pinned, fit easily.
const LARGEST: usize = 4 * 1024 * 1024;

/// Reads JSON from one port of Pods.
#[derive(Clone)]
pub(crate) struct PodPort {
    client: Client<HttpConnector, Empty<Bytes>>,
    port: u16,
}

impl PodPort {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            port,
        }
    }

    /// What the Pod at an address answers to `GET path`.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        ip: &str,
        path: &str,
    ) -> Result<T, String> {
        match timeout(TIMEOUT, self.ask(ip, path)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, ip: &str, path: &str) -> Result<T, String> {
        let ip: IpAddr = ip.parse().map_err(|_| format!("{ip:?} is no address"))?;
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let uri = format!("http://{host}:{}{path}", self.port);
        let uri = uri.parse().map_err(|error| format!("{error}"))?;
        let reply = self.client.get(uri).await.map_err(|error| chain(&error))?;
        if !reply.status().is_success() {
            return Err(format!("it answered {}", reply.status()));
        }
        let body = Limited::new(reply.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| format!("not what is expected: {error}"))
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
