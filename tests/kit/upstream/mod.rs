//! The scripted upstream: a listener, a record, and a script.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::wait::within;
use crate::{Gate, Gates, Reply, Request};

mod connection;
mod read;

/// Decides the answer to a request.
pub(crate) type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// A server on loopback that records every request and answers by its script.
///
/// Guarantees: a request is on record before its script runs; its outcome is on
/// record before the connection is closed or used again. Dropping the upstream
/// closes its listener and cuts every connection.
#[derive(Debug)]
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is still under way.
    Open,
    /// All of it was written.
    Finished,
    /// The script cut the connection.
    Cut,
    /// The client closed the connection before the end.
    ClientGone,
}

impl Outcome {
    /// The name in the control endpoint's answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Cut => "cut",
            Self::ClientGone => "client-gone",
        }
    }
}

pub(crate) struct Shared {
    pub(crate) log: watch::Sender<Vec<Entry>>,
    pub(crate) gates: Arc<Gates>,
    script: Box<Script>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) request: Arc<Request>,
    pub(crate) outcome: Outcome,
}

impl Upstream {
    /// Serves on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the system has no port to give.
    pub async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::bind(loopback, Arc::default(), script)
            .await
            .expect("a free port on loopback")
    }

    /// A provider of both dialects whose behaviour the model name chooses; see
    /// [`scripts`](crate::scripts).
    ///
    /// # Panics
    /// When the system has no port to give.
    pub async fn by_model() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let gates = Arc::new(Gates::default());
        Self::bind(
            loopback,
            Arc::clone(&gates),
            crate::scripts::by_model(gates),
        )
        .await
        .expect("a free port on loopback")
    }

    /// Serves on this address, with these gates behind [`Upstream::gate`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(
        addr: SocketAddr,
        gates: Arc<Gates>,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            log: watch::Sender::default(),
            gates,
            script: Box::new(script),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDR` and this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// All requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Request>> {
        let log = self.shared.log.borrow();
        log.iter().map(|entry| Arc::clone(&entry.request)).collect()
    }

    /// The request of this number, from 0; waits for it.
    ///
    /// # Panics
    /// When it has not come after [`DEADLINE`](crate::DEADLINE).
    pub async fn request(&self, number: usize) -> Arc<Request> {
        let what = format!("request {number}");
        self.entry(&what, number, |_| true).await.request
    }

    /// How the answer to the request of this number ended; waits for its end.
    ///
    /// # Panics
    /// When it has not ended after [`DEADLINE`](crate::DEADLINE).
    pub async fn outcome(&self, number: usize) -> Outcome {
        let ended = |entry: &Entry| entry.outcome != Outcome::Open;
        let what = format!("end of answer {number}");
        self.entry(&what, number, ended).await.outcome
    }

    /// The gate of this name, for scripts that were given [`Gates`].
    #[must_use]
    pub fn gate(&self, name: &str) -> Gate {
        self.shared.gates.named(name)
    }

    /// Stops listening and cuts every connection; a later connect is refused.
    pub async fn stop(mut self) {
        self.task.abort();
        // An abort is what was asked for; a panic was printed already.
        let _ = (&mut self.task).await;
    }

    async fn entry(&self, what: &str, number: usize, ready: impl Fn(&Entry) -> bool) -> Entry {
        let mut log = self.shared.log.subscribe();
        let log = within(
            what,
            log.wait_for(|log| log.get(number).is_some_and(&ready)),
        )
        .await;
        // The sender lives in self, so that the channel cannot close.
        log.expect("the log is open")[number].clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections live here, so that aborting this task cuts them all.
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        connections.spawn(connection::serve(stream, number, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}
