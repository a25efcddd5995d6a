//! What is kept of one scheme and authority.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::IDLE;
use super::http1::Http1;
use super::http2::Http2;
use super::idle::Idle;
use crate::upstream::SendError;

/// Where connections lead. The TLS identity is the pool's.
pub(super) struct Key {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

/// The connections to one place.
pub(super) struct Place {
    pub(super) key: Key,
    idle: Idle<Http1>,
    /// HTTP/2, where the place speaks it.
    shared: ArcSwapOption<Http2>,
    speaks_http2: AtomicBool,
    /// Held by whoever connects; when and how that failed the last time.
    dialing: Mutex<Option<(Instant, SendError)>>,
}

impl Key {
    /// None when the address is not absolute.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        Some(Self {
            scheme: uri.scheme()?.clone(),
            authority: authority.clone(),
            host: host(uri)?,
        })
    }

    pub(super) fn is_of(&self, uri: &Uri) -> bool {
        // As it is spelled: a plan spells an address one way.
        uri.authority()
            .is_some_and(|it| it.as_str() == self.authority.as_str())
            && uri.scheme() == Some(&self.scheme)
    }

    /// The value of `host`.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }
}

/// RFC 9110, 7.2: the port is left out where it is the scheme's own.
pub(crate) fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    match authority.port_u16() {
        Some(port) if port != usual => {
            HeaderValue::try_from(format!("{}:{port}", authority.host()))
        }
        _ => HeaderValue::from_str(authority.host()),
    }
    .ok()
}

impl Place {
    pub(super) fn new(key: Key, max_idle: usize) -> Self {
        Self {
            key,
            idle: Idle::new(max_idle, IDLE),
            shared: ArcSwapOption::empty(),
            speaks_http2: AtomicBool::new(false),
            dialing: Mutex::default(),
        }
    }

    /// An idle connection.
    pub(super) fn take(&self) -> Option<Http1> {
        self.idle.take(Instant::now())
    }

    /// Keeps a connection whose answer was read, where it can be used again.
    pub(super) fn keep(&self, mut http1: Http1) {
        if http1.settle() {
            self.idle.put(http1, Instant::now());
        }
    }

    /// The connection that all share.
    pub(super) fn shared(&self) -> Option<Http2> {
        if !self.speaks_http2() {
            return None;
        }
        let shared = self.shared.load();
        shared.as_deref().filter(|it| it.is_open()).cloned()
    }

    /// Shares a connection; when another one was faster, that one.
    pub(super) fn share(&self, new: Http2) -> Http2 {
        self.speaks_http2.store(true, Ordering::Relaxed);
        if let Some(known) = self.shared() {
            return known;
        }
        self.shared.store(Some(Arc::new(new.clone())));
        new
    }

    /// This one takes no requests any more.
    pub(super) fn forget(&self, closed: &Http2) {
        self.unshare(|known| known.is_same(closed));
    }

    pub(super) fn speaks_http2(&self) -> bool {
        self.speaks_http2.load(Ordering::Relaxed)
    }

    /// The turn to connect, where one connection will do.
    pub(super) async fn turn(&self) -> MutexGuard<'_, Option<(Instant, SendError)>> {
        self.dialing.lock().await
    }

    /// Lets go of what is closed or was idle for too long.
    pub(super) fn tidy(&self, now: Instant) {
        self.idle.tidy(now, Http1::is_open);
        self.unshare(|known| !known.is_open() || known.is_stale(now));
    }

    fn unshare(&self, done: impl FnOnce(&Http2) -> bool) {
        let known = self.shared.load();
        if known.as_deref().is_some_and(done) {
            // Should another one have taken its place, that one stays.
            self.shared.compare_and_swap(&known, None);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.shared.load().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_its_port_where_it_is_not_the_usual_one() {
        let host = |base: &str| host(&base.parse().unwrap()).unwrap();
        assert_eq!(host("https://api.example.com/v1"), "api.example.com");
        assert_eq!(host("https://api.example.com:443"), "api.example.com");
        assert_eq!(host("http://gpu.ai.svc:8000/v1"), "gpu.ai.svc:8000");
        assert_eq!(host("http://[::1]:80"), "[::1]");
    }
}
