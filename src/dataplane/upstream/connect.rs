//! Connections to upstreams: resolve, refuse what is forbidden, TCP, TLS, all
//! under one timeout.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};
use tracing::warn;

use super::{Forbidden, Local, SendError, forbidden, local};
use crate::edge::BoxError;

/// Which certificate authorities upstreams are verified against. Made once a
/// process: reading them takes milliseconds.
#[derive(Clone, Debug)]
pub struct TlsRoots(Arc<ClientConfig>);

/// Bytes that a Pod does not acknowledge for so long are lost (TCP_USER_TIMEOUT).
const PEER_SILENCE: Duration = Duration::from_secs(20);

/// No connection within the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection within {}", Millis(*.0))]
pub(super) struct ConnectTimeout(pub(super) Duration);

struct Millis(Duration);

/// A connection to an upstream.
#[expect(
    clippy::large_enum_variant,
    reason = "it is in a box by what speaks HTTP over it, and nearly all are of the network"
)]
pub(super) enum Stream {
    /// To a server on this machine.
    Local(Box<dyn local::Io>),
    /// Over the network.
    Net(MaybeHttpsStream<TokioIo<TcpStream>>),
}

/// A connection and what was agreed on while it was made.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    /// TLS chose HTTP/2.
    pub(super) http2: bool,
}

/// How the connections of a pool are made.
pub(super) enum Dialer {
    Local(Local),
    Net(Connector),
}

/// The connector of one upstream.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
    guard: Guard,
}

/// Whether forbidden addresses are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    On,
    Off,
}

/// The system's resolver without forbidden addresses.
#[derive(Clone)]
struct Resolver(GaiResolver, Guard);

impl TlsRoots {
    /// The authorities of the system, or Mozilla's where it has none (an image
    /// without a base).
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn load() -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
        };
        let config = match builder()?.with_native_roots() {
            Ok(native) => native,
            Err(error) => {
                warn!(%error, "no system certificates; using the built-in ones");
                builder()?.with_webpki_roots()
            }
        };
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }

    #[cfg(test)]
    pub(super) fn of(config: ClientConfig) -> Self {
        Self(Arc::new(config))
    }
}

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

impl Connector {
    pub(super) fn new(roots: &TlsRoots, timeout: Duration) -> Self {
        Self::guarded(roots, timeout, Guard::On)
    }

    /// Also to addresses that are forbidden to upstreams.
    pub(super) fn to_metadata(roots: &TlsRoots, timeout: Duration) -> Self {
        Self::guarded(roots, timeout, Guard::Off)
    }

    /// To Pods of our own: one that acknowledges nothing is gone.
    pub(super) fn to_peers(roots: &TlsRoots, timeout: Duration) -> Self {
        Self::over(roots, timeout, Guard::On, Some(PEER_SILENCE))
    }

    fn guarded(roots: &TlsRoots, timeout: Duration, guard: Guard) -> Self {
        Self::over(roots, timeout, guard, None)
    }

    fn over(roots: &TlsRoots, timeout: Duration, guard: Guard, silence: Option<Duration>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new(), guard));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(silence);
        #[cfg(not(target_os = "linux"))]
        let _ = silence;
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&roots.0))
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self {
            https,
            timeout,
            guard,
        }
    }
}

impl Connector {
    async fn connect(&self, target: Uri) -> Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError> {
        // A literal address never reaches the resolver.
        if let Some((host, address)) = literal(&target).filter(|_| self.guard == Guard::On) {
            refuse(host, address)?;
        }
        let connected = self.https.clone().oneshot(target);
        tokio::time::timeout(self.timeout, connected)
            .await
            .map_err(|_| ConnectTimeout(self.timeout))?
    }
}

impl Stream {
    /// What it took in is sent as it is, so that what it did not take was not sent.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(self, Self::Net(MaybeHttpsStream::Https(_)))
    }
}

impl Dialer {
    /// A connection to what an absolute URI names; to a server on this machine,
    /// whatever it says.
    pub(super) async fn dial(&self, target: Uri) -> Result<Dialed, SendError> {
        match self {
            Self::Local(local) => {
                let io = local.connect().await;
                let io = io.map_err(|error| SendError::connecting(&error.into()))?;
                let stream = Stream::Local(io);
                Ok(Dialed {
                    stream,
                    http2: false,
                })
            }
            Self::Net(connector) => {
                let stream = connector.connect(target).await;
                let stream = stream.map_err(|error| SendError::connecting(&error))?;
                let http2 = stream.connected().is_negotiated_h2();
                let stream = Stream::Net(stream);
                Ok(Dialed { stream, http2 })
            }
        }
    }
}

/// Calls it on whichever it is.
macro_rules! on {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Local($io) => $call,
            Stream::Net(MaybeHttpsStream::Http(io)) => {
                let $io = io.inner_mut();
                $call
            }
            Stream::Net(MaybeHttpsStream::Https(io)) => {
                let $io = io.inner_mut();
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Local(io) => io.is_write_vectored(),
            Self::Net(MaybeHttpsStream::Http(io)) => io.inner().is_write_vectored(),
            Self::Net(MaybeHttpsStream::Https(io)) => io.inner().is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, slices))
    }
}

fn literal(target: &Uri) -> Option<(&str, IpAddr)> {
    let host = target.host()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Some((host, bare.parse().ok()?))
}

fn refuse(host: &str, address: IpAddr) -> Result<(), Forbidden> {
    if forbidden(address) {
        return Err(Forbidden {
            host: host.to_owned(),
            address,
        });
    }
    Ok(())
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Service::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().to_owned();
        let found = Service::call(&mut self.0, name);
        let guard = self.1;
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            match guard {
                Guard::On => allowed(&host, found),
                Guard::Off => Ok(found.into_iter()),
            }
        })
    }
}

fn allowed(host: &str, found: Vec<SocketAddr>) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let (bad, good): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| forbidden(a.ip()));
    match (good.is_empty(), bad.first()) {
        (true, Some(bad)) => Err(io::Error::other(Forbidden {
            host: host.to_owned(),
            address: bad.ip(),
        })),
        _ => Ok(good.into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 443);
        texts.iter().map(address).collect()
    }

    #[test]
    fn a_name_that_leads_to_metadata_is_refused_by_name() {
        let error = allowed("evil.example", addresses(&["169.254.169.254", "fe80::1"]));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("evil.example is 169.254.169.254"),
            "{error}"
        );
    }

    #[test]
    fn forbidden_addresses_among_others_are_left_out() {
        let left = allowed("mixed", addresses(&["169.254.169.254", "10.0.0.1"])).unwrap();
        assert_eq!(left.as_slice(), addresses(&["10.0.0.1"]));
        assert_eq!(allowed("nothing", Vec::new()).unwrap().len(), 0);
    }
}
