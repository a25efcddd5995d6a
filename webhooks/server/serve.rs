//! Serves a router over TLS until told to stop.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use futures::future::Either;
use rustls::ServerConfig;

/// How long calls under way may take when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the router on a bound listener. The certificate comes from the
/// resolver in the TLS configuration, which may change it at any time.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let handle = Handle::new();
    let serving = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(tls))?
        .handle(handle.clone())
        .serve(router.into_make_service());
    let serving = std::pin::pin!(serving);
    let shutdown = std::pin::pin!(shutdown);
    match futures::future::select(serving, shutdown).await {
        Either::Left((served, _)) => served,
        Either::Right(((), serving)) => {
            handle.graceful_shutdown(Some(GRACE));
            serving.await
        }
    }
}
