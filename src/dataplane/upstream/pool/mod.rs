//! The connections to upstreams: made when they are needed, kept while they are
//! idle, used again.
//!
//! ```text
//! Pool → Place of a scheme and an authority → shared: one HTTP/2 connection
//!                                           → idle:   HTTP/1.1 connections, last in first out
//! ```
//!
//! An HTTP/1.1 connection has no task of its own: whoever waits for its answer
//! reads it, in the same wake-up in which the answer goes on to the client. Two
//! tasks that hand every piece to each other cost a proxy more than the pieces.
//!
//! # Guarantees
//! - A request that an idle connection did not take, since its peer had closed it,
//!   goes to another one. One that was written, in part even, is never sent again.
//! - A connection is used again only when its last answer was read to its end;
//!   an answer that is dropped before that closes its connection.

mod body;
mod http1;
mod http2;
mod idle;
mod place;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tokio::time::Instant;
use tracing::debug;

use super::connect::Dialer;
use super::error::{SendError, root};
use http1::Http1;
use http2::Http2;
use place::{Key, Place};

use crate::apart::{Left, apart};

pub use body::UpstreamBody;
pub(crate) use place::host;

/// For a connection that nobody waits for any more; the next ones may.
const LEFT: Duration = Duration::from_secs(10);

/// Idle connections kept for one place.
const MAX_IDLE: usize = 1_024;

/// Shorter than what load balancers in front of providers allow (60 s and more),
/// so that it is we who close.
const IDLE: Duration = Duration::from_secs(55);

/// What an upstream is sent.
pub(super) type Sent = Request<Full<Bytes>>;

/// What it answers.
pub(super) type Answered = Response<UpstreamBody>;

/// Why a connection gave no answer.
enum Failed {
    /// The request was not written, and comes back.
    Unsent(Box<Sent>, String),
    /// It may have been.
    Broken(String),
}

/// The connections of one client.
pub(super) struct Pool {
    dialer: Dialer,
    /// Few, and hardly ever another one.
    places: ArcSwap<Vec<Arc<Place>>>,
    swept: AtomicBool,
    max_idle: usize,
}

impl Pool {
    /// A pool of what this dialer connects to.
    pub(super) fn new(dialer: Dialer) -> Arc<Self> {
        Self::keeping(dialer, MAX_IDLE)
    }

    /// The same without keeping any connection.
    pub(super) fn keeping_none(dialer: Dialer) -> Arc<Self> {
        Self::keeping(dialer, 0)
    }

    fn keeping(dialer: Dialer, max_idle: usize) -> Arc<Self> {
        Arc::new(Self {
            dialer,
            places: ArcSwap::default(),
            swept: AtomicBool::new(false),
            max_idle,
        })
    }

    /// Sends a request to its absolute URI; resolves with the head of the answer.
    pub(super) async fn send(self: Arc<Self>, mut request: Sent) -> Result<Answered, SendError> {
        let place = self.place(request.uri())?;
        // Each turn uses up a connection, so that it ends.
        loop {
            let sent = if let Some(http2) = place.shared() {
                let sent = http2.send(request).await;
                if let Err(Failed::Unsent(..)) = sent {
                    place.forget(&http2);
                }
                sent
            } else if let Some(idle) = place.take() {
                idle.send(request, &place).await
            } else {
                return Box::pin(self.send_anew(request, &place)).await;
            };
            match sent {
                Ok(response) => return Ok(response),
                Err(Failed::Unsent(back, _)) => request = *back,
                Err(Failed::Broken(why)) => return Err(SendError::Broken(why)),
            }
        }
    }

    /// Sends it on a new connection, or on the one that others of HTTP/2 made
    /// meanwhile.
    async fn send_anew(
        self: &Arc<Self>,
        request: Sent,
        place: &Arc<Place>,
    ) -> Result<Answered, SendError> {
        let sent = match self.connection(request.uri(), place).await? {
            New::Http1(http1) => http1.send(request, place).await,
            New::Http2(http2) => http2.send(request).await,
        };
        sent.map_err(|failed| match failed {
            Failed::Unsent(_, why) | Failed::Broken(why) => SendError::Broken(why),
        })
    }

    async fn connection(
        self: &Arc<Self>,
        target: &Uri,
        place: &Arc<Place>,
    ) -> Result<New, SendError> {
        if !place.speaks_http2() {
            return self.dial(target, place).await;
        }
        // Those that wait for their turn do not wait for who reads slowly.
        let arrived = Instant::now();
        let (pool, target, place) = (Arc::clone(self), target.clone(), Arc::clone(place));
        let dialing = async move { pool.dial_in_turn(&target, &place, arrived).await };
        let dialed = apart(Left::Ends(LEFT), dialing).await;
        dialed.unwrap_or_else(|| Err(SendError::Broken("it was given up".to_owned())))
    }

    /// One connection is enough, so one of those that wait for it makes it.
    async fn dial_in_turn(
        self: &Arc<Self>,
        target: &Uri,
        place: &Arc<Place>,
        arrived: Instant,
    ) -> Result<New, SendError> {
        let mut failed = place.turn().await;
        if let Some(http2) = place.shared() {
            return Ok(New::Http2(http2));
        }
        if let Some((at, error)) = failed.as_ref().filter(|(at, _)| *at >= arrived) {
            debug!(since = ?at.elapsed(), "no connection, as others found");
            return Err(error.clone());
        }
        let dialed = self.dial(target, place).await;
        *failed = dialed
            .as_ref()
            .err()
            .map(|error| (Instant::now(), error.clone()));
        dialed
    }

    async fn dial(self: &Arc<Self>, target: &Uri, place: &Place) -> Result<New, SendError> {
        let dialed = self.dialer.dial(target.clone()).await?;
        self.sweep();
        Ok(if dialed.http2 {
            let http2 = Http2::start(dialed.stream).await;
            let http2 = http2.map_err(|error| SendError::Broken(root(&error)))?;
            New::Http2(place.share(http2))
        } else {
            New::Http1(Http1::new(dialed.stream))
        })
    }

    fn place(&self, uri: &Uri) -> Result<Arc<Place>, SendError> {
        let known = self.places.load();
        if let Some(place) = known.iter().find(|place| place.key.is_of(uri)) {
            return Ok(Arc::clone(place));
        }
        drop(known);
        let key = Key::of(uri)
            .ok_or_else(|| SendError::Connect("the address has no scheme or no host".to_owned()))?;
        let new = Arc::new(Place::new(key, self.max_idle));
        let mut place = Arc::clone(&new);
        self.places.rcu(|known| {
            let same = known.iter().find(|known| known.key.is_of(uri));
            place = Arc::clone(same.unwrap_or(&new));
            let mut places = Vec::clone(known);
            places.extend(same.is_none().then(|| Arc::clone(&new)));
            places
        });
        Ok(place)
    }

    /// From the first connection on, somebody looks after those that are idle.
    fn sweep(self: &Arc<Self>) {
        if self.max_idle > 0 && !self.swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep::sweep(Arc::downgrade(self)));
        }
    }

    /// Lets go of what is closed or was idle for too long.
    fn tidy(&self, now: Instant) {
        for place in self.places.load().iter() {
            place.tidy(now);
        }
        let unused = |place: &Arc<Place>| Arc::strong_count(place) == 1 && place.is_empty();
        if self.places.load().iter().any(unused) {
            self.places.rcu(|known| {
                let used = known.iter().filter(|place| !unused(place));
                used.cloned().collect::<Vec<_>>()
            });
        }
    }
}

/// A connection that was just made.
enum New {
    Http1(Http1),
    Http2(Http2),
}
