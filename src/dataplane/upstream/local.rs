//! Connections to servers on this machine: a program behind a shim, in this
//! process or in another container of the Pod.

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::stdio::Shim;

/// Where such a server is.
#[derive(Clone, Debug)]
pub enum Local {
    /// In this process.
    Shim(Shim),
    /// At this socket.
    Socket(PathBuf),
}

/// What a connection to it reads and writes.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Local {
    /// A connection to it.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Io>> {
        Ok(match self {
            Self::Shim(shim) => Box::new(shim.connect().await?),
            Self::Socket(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}
