//! The accept loop.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

use super::bridge::Bridge;
use super::patience::Patient;
use super::{Body, Drain};

/// Connections at once: at about 15 KiB for an idle one this is some 300 MiB.
/// Further ones wait in the listen backlog.
const MAX_CONNECTIONS: usize = 20_000;

/// For the beginning of a connection, and for the head of a request, and so also
/// for an idle keep-alive connection.
const HEADER_READ: Duration = Duration::from_secs(75);

/// For a client to take some of what is there for it. Agents pause while they
/// read a stream; a minute is what nginx waits (`send_timeout`).
const WRITE: Duration = Duration::from_secs(120);

/// HTTP/2: how often an idle peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// HTTP/2: requests at once on one connection.
const MAX_STREAMS: u32 = 1_000;

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
        http: Arc::new(http_server()),
        connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        tasks: TaskTracker::new(),
        drain,
        cut: CancellationToken::new(),
    };
    loop {
        let (stream, slot) = tokio::select! {
            biased;
            () = server.drain.started() => break,
            accepted = server.accept(&listener) => accepted,
        };
        server.spawn(stream, slot, service.clone());
    }
    drop(listener);
    server.join().await;
}

struct Server {
    http: Arc<auto::Builder<TokioExecutor>>,
    connections: Arc<Semaphore>,
    tasks: TaskTracker,
    drain: Drain,
    cut: CancellationToken,
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
        let stream = Patient::new(stream, HEADER_READ, WRITE);
        let http = Arc::clone(&self.http);
        let drain = self.drain.clone();
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            let service = Bridge::new(service);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            let result = tokio::select! {
                biased;
                result = connection.as_mut() => result,
                () = drain.started_meanwhile() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        result = connection => result,
                        () = cut.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = result {
                // Clients close as they like; what they sent is not logged.
                debug!(%error, "connection ended");
            }
            drop(slot);
        });
    }

    async fn join(self) {
        self.tasks.close();
        if tokio::time::timeout(self.drain.grace(), self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                connections = self.tasks.len(),
                "cutting connections after the grace period"
            );
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

fn http_server() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .max_concurrent_streams(MAX_STREAMS);
    http
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
