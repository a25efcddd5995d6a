//! An HTTP/2 connection, which any number of requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::HOST;
use http::uri::Authority;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;
use tracing::debug;

use super::body::UpstreamBody;
use super::{Answered, Failed, IDLE, Sent};
use crate::upstream::connect::Stream;
use crate::upstream::error::root;

/// How often a peer that answers is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// A connection. Clones share it; it closes when the last one and the last answer
/// are gone.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    usage: Arc<Usage>,
}

struct Usage {
    begun: Instant,
    /// Of the last request, in milliseconds since then.
    last: AtomicU64,
}

impl Http2 {
    /// A connection over a stream. It has a task, which carries the frames of all.
    pub(super) async fn start(stream: Stream) -> hyper::Result<Self> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .adaptive_window(true)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "HTTP/2 connection to an upstream ended");
            }
        });
        let begun = Instant::now();
        let last = AtomicU64::new(0);
        Ok(Self {
            sender,
            usage: Arc::new(Usage { begun, last }),
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, mut request: Sent) -> Result<Answered, Failed> {
        let mut sender = self.sender.clone();
        name_host_once(&mut request);
        self.used(Instant::now());
        match sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(UpstreamBody::over_http2)),
            Err(mut error) => {
                let why = root(error.error());
                Err(match error.take_message() {
                    Some(request) => Failed::Unsent(Box::new(request), why),
                    None => Failed::Broken(why),
                })
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// True when nothing was asked for a while. Answers that still come keep it open.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        let last = Duration::from_millis(self.usage.last.load(Ordering::Relaxed));
        now.saturating_duration_since(self.usage.begun + last) >= IDLE
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.usage, &other.usage)
    }

    fn used(&self, now: Instant) {
        let since = now.saturating_duration_since(self.usage.begun).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.usage.last.store(since, Ordering::Relaxed);
    }
}

/// HTTP/2 names the host in `:authority`; servers refuse a request that does it twice
/// (RFC 9113, 8.3.1). What the header says counts, since it may be signed.
fn name_host_once(request: &mut Sent) {
    let Some(host) = request.headers_mut().remove(HOST) else {
        return;
    };
    let named = request.uri().authority().map(Authority::as_str);
    if named.map(str::as_bytes) == Some(host.as_bytes()) {
        return;
    }
    let mut parts = request.uri().clone().into_parts();
    parts.authority = Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}
