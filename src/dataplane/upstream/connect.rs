//! Connections to upstreams: resolve, refuse what is forbidden, TCP, TLS, all
//! under one timeout.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tower::Service;
use tracing::warn;

use super::{Forbidden, forbidden};
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

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

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

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        // A literal address never reaches the resolver.
        let literal = literal(&target).filter(|_| self.guard == Guard::On);
        let verdict = literal.map_or(Ok(()), |(host, address)| refuse(host, address));
        let connected = self.https.call(target);
        let limit = self.timeout;
        Box::pin(async move {
            verdict?;
            tokio::time::timeout(limit, connected)
                .await
                .map_err(|_| ConnectTimeout(limit))?
        })
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
