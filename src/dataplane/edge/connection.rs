//! One connection of a client, from its first byte to its last.

use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::debug;

use super::bridge::Bridge;
use super::patience::Patient;
use super::{Body, Drain};

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

/// RFC 9113, 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How HTTP is spoken.
pub(super) struct Http {
    http1: http1::Builder,
    both: auto::Builder<TokioExecutor>,
}

/// When connections end that would go on.
#[derive(Clone)]
pub(super) struct End {
    pub(super) drain: Drain,
    /// The grace is over.
    pub(super) cut: CancellationToken,
}

impl Http {
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ);
        let mut both = auto::Builder::new(TokioExecutor::new());
        both.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ);
        both.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .max_concurrent_streams(MAX_STREAMS);
        Self { http1, both }
    }

    /// Serves until the client goes, or until the drain.
    ///
    /// Nearly all clients speak HTTP/1.1, and thousands of their connections are
    /// idle: what both versions need is kept for those that may speak the other one.
    pub(super) async fn serve<S>(&self, stream: TcpStream, stack: S, end: End)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        let Some(is_http1) = begun(&stream, &end).await else {
            return;
        };
        let io = TokioIo::new(Patient::new(stream, HEADER_READ, WRITE));
        let stack = Bridge::new(stack);
        if is_http1 {
            let connection = self.http1.serve_connection(io, stack);
            until(connection, |it| it.graceful_shutdown(), end).await;
        } else {
            let connection = self.both.serve_connection(io, stack);
            Box::pin(until(connection, |it| it.graceful_shutdown(), end)).await;
        }
    }
}

/// Whether what comes first is HTTP/1.1 for certain; none when nothing comes.
async fn begun(stream: &TcpStream, end: &End) -> Option<bool> {
    let first = tokio::time::timeout(HEADER_READ, is_http1(stream));
    tokio::select! {
        biased;
        first = first => first.ok()?.ok(),
        () = end.drain.started() => None,
    }
}

async fn is_http1(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let there = stream.peek(&mut first).await?;
    let first = first.get(..there).unwrap_or_default();
    Ok(!PREFACE.starts_with(first))
}

async fn until<C, E>(connection: C, shut_down: impl FnOnce(Pin<&mut C>), end: End)
where
    C: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut connection = pin!(connection);
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        () = end.drain.started_meanwhile() => {
            shut_down(connection.as_mut());
            tokio::select! {
                result = connection => result,
                () = end.cut.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // Clients close as they like; what they sent is not logged.
        debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each idle connection of thousands takes this, and hyper's buffers.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let stack = tower::service_fn(async |_| Ok(Response::new(Body::empty())));
        let end = End {
            drain: Drain::new(Duration::ZERO),
            cut: CancellationToken::new(),
        };
        let http = Http::new();
        let task = http.serve(stream, stack, end);
        let size = std::mem::size_of_val(&task);
        assert!(size <= 2_048, "{size} bytes");
    }
}
