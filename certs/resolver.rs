//! Which certificate a handshake gets: always the newest leaf, without a lock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{CertError, Leaf};

/// Hands out the current leaf; a handshake before the first one is aborted.
#[derive(Debug, Default)]
pub struct Resolver {
    leaf: ArcSwapOption<Leaf>,
}

impl Resolver {
    /// A resolver without a certificate yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves `leaf` from the next handshake on; connections go on as they are.
    pub fn serve(&self, leaf: Leaf) {
        self.leaf.store(Some(Arc::new(leaf)));
    }

    /// The leaf being served, if any.
    #[must_use]
    pub fn leaf(&self) -> Option<Arc<Leaf>> {
        self.leaf.load_full()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.leaf.load().as_ref().map(|leaf| Arc::clone(&leaf.key))
    }
}

/// TLS 1.2 and 1.3 by aws-lc-rs, ALPN `h2` then `http/1.1`, no client certificate.
///
/// # Errors
/// [`CertError::Serve`] when the provider supports no common protocol version.
pub fn server_config(resolver: Arc<Resolver>) -> Result<ServerConfig, CertError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
