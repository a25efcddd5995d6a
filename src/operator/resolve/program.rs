//! Programs in containers of their own.

use std::time::Duration;

use agentkube_crds::mcp::StdioServer;
use agentkube_plan::{ProxyLimits, SecretEntry};
use sha2::{Digest, Sha256};

/// Where the sockets of programs are; only the proxy sees all of it.
pub(crate) const SOCKETS: &str = "/run/agentkube";

/// A program that a proxy reaches at a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the upstream in the plan.
    pub upstream: String,
    /// The container, as it is written.
    pub server: StdioServer,
    /// Bytes of the largest message.
    pub message_bytes: u64,
    /// A session without a request for this long loses its process.
    pub idle: Duration,
}

impl Program {
    pub(super) fn new(upstream: String, server: StdioServer, limits: &ProxyLimits) -> Self {
        Self {
            upstream,
            server,
            message_bytes: limits.message_bytes,
            idle: limits.session_idle,
        }
    }

    /// Name of its container: a DNS label. That of an upstream of another MCP holds
    /// a slash, and so could be taken for another one without the digest.
    #[must_use]
    pub fn container(&self) -> String {
        if !self.upstream.contains('/') {
            return format!("stdio-{}", self.upstream);
        }
        let mut digest = hex::encode(Sha256::digest(&self.upstream));
        digest.truncate(8);
        let mut name = format!("stdio-{}", self.upstream.replace('/', "-"));
        // With the digest and a volume's prefix it stays within 63 characters.
        name.truncate(48);
        format!("{name}-{digest}")
    }

    /// Where its container has its socket: a directory that the others do not see,
    /// or one program could take the place of another.
    #[must_use]
    pub fn socket_directory(&self) -> String {
        format!("{SOCKETS}/{}", self.container())
    }

    /// The socket that it is reached at.
    #[must_use]
    pub fn socket(&self) -> String {
        format!("{}/mcp.sock", self.socket_directory())
    }

    /// The Secret entries in its environment, and whether it can do without.
    pub fn secrets(&self) -> impl Iterator<Item = (SecretEntry, bool)> {
        let sources = self
            .server
            .env
            .iter()
            .filter_map(|it| it.value_from.as_ref());
        sources.map(|source| {
            let source = &source.secret_key_ref;
            let entry = SecretEntry {
                name: source.name.clone(),
                key: source.key.clone(),
            };
            (entry, source.optional.unwrap_or_default())
        })
    }
}
