//! The accept loop.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

use super::connection::{End, Http};
use super::{Body, Drain};

/// Connections at once: at about 15 KiB for an idle one this is some 300 MiB.
/// Further ones wait in the listen backlog.
const MAX_CONNECTIONS: usize = 20_000;

/// After an accept error: files are exhausted, and asking again at once would
/// only burn the CPU that closing some needs.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 and HTTP/2 without TLS until the drain, and returns when the
/// last connection ended, at the latest when the drain's grace is over.
pub async fn serve<S>(listener: TcpListener, service: S, drain: Drain)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let server = Server {
        http: Arc::new(Http::new()),
        connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        tasks: TaskTracker::new(),
        end: End {
            drain,
            cut: CancellationToken::new(),
        },
    };
    loop {
        let (stream, slot) = tokio::select! {
            biased;
            () = server.end.drain.started() => break,
            accepted = server.accept(&listener) => accepted,
        };
        server.spawn(stream, slot, service.clone());
    }
    drop(listener);
    server.join().await;
}

struct Server {
    http: Arc<Http>,
    connections: Arc<Semaphore>,
    tasks: TaskTracker,
    end: End,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        // The semaphore is never closed, so there always is a slot.
        let slot = Arc::clone(&self.connections).acquire_owned().await.ok();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return (stream, slot),
                Err(error) if of_the_connection(&error) => {}
                Err(error) => {
                    warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    fn spawn<S>(&self, stream: TcpStream, slot: Option<OwnedSemaphorePermit>, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let http = Arc::clone(&self.http);
        let end = self.end.clone();
        self.tasks.spawn(async move {
            http.serve(stream, service, end).await;
            drop(slot);
        });
    }

    async fn join(self) {
        self.tasks.close();
        if tokio::time::timeout(self.end.drain.grace(), self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                connections = self.tasks.len(),
                "cutting connections after the grace period"
            );
            self.end.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Errors of the connection that was just made, not of the listener.
fn of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
