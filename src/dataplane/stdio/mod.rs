//! Tool servers that are programs: children that speak MCP on stdin and stdout.
//!
//! A [`Shim`] serves streamable HTTP in front of a program, as the servers do that
//! have it themselves, so that a proxy speaks to both in one way. A legacy session
//! has a child of its own, which holds that session's state and nobody else's;
//! modern requests have no state and share one child.
//!
//! Guarantees: never more than [`MOST_CHILDREN`] children, those that are ending
//! included; idle ones give way to new sessions (a client's next request opens a
//! new one), which wait for that, and not for ever; no child outlives its shim, nor
//! do the processes that it left in its group.

mod call;
mod child;
pub(crate) mod inbox;
mod line;
mod opening;
mod orphans;
mod pool;
mod serve;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::pool::Pool;

pub use self::socket::serve_program;

/// Children of one program at once. Interpreters take 30 to 100 MiB each.
pub const MOST_CHILDREN: usize = 16;

/// Bytes under way between a proxy and the shim in its own process.
const PIPE: usize = 64 * 1024;

/// A program and how it is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Name of the upstream, for logs.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it gets of our own environment.
    pub inherit: Inherit,
    /// Its environment beside that.
    pub env: BTreeMap<String, SecretString>,
    /// Largest message in bytes.
    pub message_bytes: usize,
    /// A session without a request for this long loses its child.
    pub idle: Duration,
}

/// What a program gets of the environment of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// All of it: the container was made for the program.
    All,
    /// What every program needs to start, and nothing that may be a secret of ours.
    Basics,
}

/// All programs of a process, so that none is left when it ends.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Programs {
    /// Stops all children and waits until they ended.
    pub async fn stopped(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A server in front of a program. Clones are the same one; with the last one the
/// children are stopped.
#[derive(Clone)]
pub struct Shim(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Shim {
    /// A shim without children: they are started when they are needed.
    #[must_use]
    pub fn new(launch: Launch, programs: &Programs) -> Self {
        let (tasks, stop) = (programs.tasks.clone(), programs.stop.child_token());
        let pool = Pool::new(launch, tasks.clone(), stop.clone());
        Self(Arc::new(Inner { pool, tasks, stop }))
    }

    /// A connection to it within this process.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) async fn connect(&self) -> io::Result<DuplexStream> {
        self.0.pool.ready().await.map_err(io::Error::other)?;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let served = serve::connection(Arc::clone(&self.0.pool), theirs);
        self.0.tasks.spawn(served);
        Ok(ours)
    }

    /// Serves a connection, in the background.
    fn serve(&self, stream: tokio::net::UnixStream) {
        let served = serve::connection(Arc::clone(&self.0.pool), stream);
        self.0.tasks.spawn(served);
    }

    /// Processes that there are now, those that are ending included.
    #[must_use]
    pub fn children(&self) -> usize {
        self.0.pool.children()
    }
}

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shim")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
