//! The demo's HTTP server: one address, every route.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::reply::{Reply, empty};
use super::tools::Tools;
use super::{Error, anthropic, mcp, openai, responses};

/// A request larger than this is not a demo any more.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// How long a shutdown waits for streams under way.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after a failed accept (out of file descriptors, say).
const BACK_OFF: Duration = Duration::from_millis(50);

/// What the routes share.
#[derive(Debug, Default)]
pub(super) struct State {
    tools: Tools,
}

/// One listening address.
#[derive(Debug)]
pub(super) struct Server {
    addr: SocketAddr,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds and serves.
    pub(super) async fn start(addr: SocketAddr, state: Arc<State>) -> Result<Self, Error> {
        let bind = |source| Error::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(listener, state, stop.clone()));
        Ok(Self {
            addr: bound,
            stop: stop.drop_guard(),
            task,
        })
    }

    /// The address in use, with the real port.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Drains and ends.
    pub(super) async fn shutdown(self) {
        drop(self.stop);
        // It ends by itself within DRAIN; a panic in it was printed already.
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    // Connections live here, so that ending this task ends them all.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BACK_OFF).await;
            continue;
        };
        connections.spawn(connection(stream, Arc::clone(&state), &graceful));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(DRAIN) => {}
    }
}

fn connection(
    stream: TcpStream,
    state: Arc<State>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Without it the kernel holds small events back; a demo does not fail over it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(route(request, &state).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    async move {
        // The caller went away or spoke no HTTP: nobody is left to tell.
        let _ = connection.await;
    }
}

async fn route(request: Request<Incoming>, state: &State) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let body = body.to_bytes();
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/chat/completions") => openai::chat(&head.headers, &body),
        (&Method::POST, "/v1/responses") => responses::respond(&head.headers, &body),
        (&Method::POST, "/v1/embeddings") => responses::embed(&head.headers, &body),
        (&Method::POST, "/v1/messages") => anthropic::messages(&head.headers, &body),
        (&Method::GET, "/v1/models") if anthropic::is_caller(&head.headers) => {
            anthropic::models(&head.headers)
        }
        (&Method::GET, "/v1/models") => openai::models(&head.headers),
        (&Method::POST, "/mcp") => mcp::post(&head.headers, &body, &state.tools),
        // Neither a listening stream nor a session to end: 405 says so in both eras.
        (_, "/mcp") => empty(StatusCode::METHOD_NOT_ALLOWED),
        (&Method::GET, "/livez") => empty(StatusCode::OK),
        (method, path) => {
            let message = format!("the demo has no {method} {path}");
            openai::error(StatusCode::NOT_FOUND, None, &message)
        }
    }
}
