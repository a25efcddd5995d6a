//! One upstream's pooled client.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use super::connect::{ConnectTimeout, Connector};
use super::local::LocalConnector;
use super::{Forbidden, Local, TlsRoots};

/// Idle connections kept for one upstream.
const MAX_IDLE: usize = 1_024;

/// Shorter than what load balancers in front of providers allow (60 s and more),
/// so that it is we who close.
const IDLE: Duration = Duration::from_secs(55);

/// Calls one upstream. Clones share the pool.
#[derive(Clone)]
pub struct UpstreamClient(Arc<Pool>);

enum Pool {
    Local(Client<LocalConnector, Full<Bytes>>),
    Net(Client<Connector, Full<Bytes>>),
}

/// Why there is no head of an answer. Texts carry hosts and system errors, never
/// anything from the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection in time.
    #[error("{0}")]
    ConnectTimeout(String),
    /// It resolves to an address where upstreams may not be.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// The connection broke before the head of the answer came.
    #[error("the connection broke: {0}")]
    Broken(String),
}

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
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_adaptive_window(true)
            .build(connector);
        Self(Arc::new(Pool::Net(client)))
    }

    /// A client of a server on this machine; hosts in URIs mean nothing to it.
    /// Connections cost nothing there, and are not kept.
    #[must_use]
    pub fn local(server: Local) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(LocalConnector(server));
        Self(Arc::new(Pool::Local(client)))
    }

    /// Sends a request to its absolute URI; resolves with the head of the answer.
    /// Dropping the answer's body cancels the request.
    pub fn send(&self, request: Request<Full<Bytes>>) -> Sending {
        Sending(match &*self.0 {
            Pool::Local(client) => client.request(request),
            Pool::Net(client) => client.request(request),
        })
    }
}

impl fmt::Debug for UpstreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamClient")
    }
}

impl Service<Request<Full<Bytes>>> for UpstreamClient {
    type Response = Response<Incoming>;
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
#[derive(Debug)]
pub struct Sending(ResponseFuture);

impl Future for Sending {
    type Output = Result<Response<Incoming>, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.map_err(|error| SendError::from(&error)))
    }
}

impl From<&Error> for SendError {
    fn from(error: &Error) -> Self {
        if let Some(forbidden) = caused_by::<Forbidden>(error) {
            return Self::Forbidden(forbidden.clone());
        }
        if let Some(timeout) = caused_by::<ConnectTimeout>(error) {
            return Self::ConnectTimeout(timeout.to_string());
        }
        let text = root(error);
        if error.is_connect() {
            Self::Connect(text)
        } else {
            Self::Broken(text)
        }
    }
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn caused_by<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| {
        // io::Error hides what it wraps from the chain of sources.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<E>());
        cause.downcast_ref::<E>().or(wrapped)
    })
}

fn root(error: &(dyn StdError + 'static)) -> String {
    causes(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
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
