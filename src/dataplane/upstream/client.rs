//! One upstream's pooled client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;

use super::connect::{Connector, Dialer};
use super::pool::{Pool, UpstreamBody};
use super::{Local, SendError, TlsRoots};

/// Calls one upstream. Clones share the pool.
#[derive(Clone)]
pub struct UpstreamClient(pub(super) Arc<Pool>);

impl UpstreamClient {
    /// A client whose connections are made within `connect_timeout`, TLS
    /// included.
    #[must_use]
    pub fn new(roots: &TlsRoots, connect_timeout: Duration) -> Self {
        Self::by(Connector::new(roots, connect_timeout))
    }

    /// The same for the metadata server of the cloud, which no upstream may be: only
    /// for the pod's own tokens, and never for an address that an object names.
    pub(crate) fn to_metadata(roots: &TlsRoots, connect_timeout: Duration) -> Self {
        Self::by(Connector::to_metadata(roots, connect_timeout))
    }

    /// The same for other replicas of ours, which may vanish with their node.
    pub(crate) fn to_peers(roots: &TlsRoots, connect_timeout: Duration) -> Self {
        Self::by(Connector::to_peers(roots, connect_timeout))
    }

    fn by(connector: Connector) -> Self {
        Self(Pool::new(Dialer::Net(connector)))
    }

    /// A client of a server on this machine; hosts in URIs mean nothing to it.
    /// Connections cost nothing there, and are not kept.
    #[must_use]
    pub fn local(server: Local) -> Self {
        Self(Pool::keeping_none(Dialer::Local(server)))
    }

    /// Sends a request to its absolute URI; resolves with the head of the answer.
    /// Dropping the answer's body cancels the request.
    pub fn send(&self, request: Request<Full<Bytes>>) -> Sending {
        Sending(Box::pin(Arc::clone(&self.0).send(request)))
    }
}

impl fmt::Debug for UpstreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamClient")
    }
}

impl Service<Request<Full<Bytes>>> for UpstreamClient {
    type Response = Response<UpstreamBody>;
    type Error = SendError;
    type Future = Sending;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Sending {
        self.send(request)
    }
}

/// The answer of [`UpstreamClient::send`].
pub struct Sending(Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, SendError>> + Send>>);

impl Future for Sending {
    type Output = Result<Response<UpstreamBody>, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    async fn refusal(uri: &str) -> SendError {
        let roots = TlsRoots::load().unwrap();
        let client = UpstreamClient::new(&roots, Duration::from_secs(5));
        let request = Request::get(uri).body(Full::default()).unwrap();
        client.oneshot(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn literal_metadata_addresses_are_never_connected_to() {
        for host in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"] {
            for scheme in ["http", "https"] {
                let error = refusal(&format!("{scheme}://{host}/latest")).await;
                assert!(matches!(error, SendError::Forbidden(_)), "{host}: {error}");
                assert!(error.to_string().contains("metadata address"), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_refused_connection_says_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = refusal(&format!("http://{address}/")).await;
        assert!(matches!(error, SendError::Connect(_)), "{error}");
        assert!(
            error.to_string().to_lowercase().contains("refused"),
            "{error}"
        );
    }
}
