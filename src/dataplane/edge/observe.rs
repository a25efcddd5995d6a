//! Counts requests: how many, how long, how many at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;

use super::metrics::{Class, ObjectMetrics};
use super::{Body, Plane, RouteLabel, Routed};

/// HTTP/2: for a client to take some of its answer; for HTTP/1.1 the connection
/// has a timer like it.
const TAKE: Duration = Duration::from_secs(120);

/// Finds a request's route and counts it from its head to the last byte of the
/// answer.
#[derive(Clone, Debug)]
pub struct Observe<P: Plane, S> {
    plane: P,
    metrics: ObjectMetrics<P::Route>,
    inner: S,
}

impl<P: Plane, S> Observe<P, S> {
    /// Observes the requests of `inner`.
    pub fn new(plane: P, metrics: ObjectMetrics<P::Route>, inner: S) -> Self {
        Self {
            plane,
            metrics,
            inner,
        }
    }
}

impl<P, S, B> Service<Request<B>> for Observe<P, S>
where
    P: Plane,
    S: Service<Routed<P::Route, B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let route = self.plane.route(&request);
        Observed {
            guarded: request.version() == Version::HTTP_2,
            ticket: Some(Ticket::open(&self.metrics, route)),
            inner: self.inner.call(Routed { route, request }),
        }
    }
}

pin_project! {
    /// The answer of [`Observe`].
    #[derive(Debug)]
    pub struct Observed<F> {
        #[pin]
        inner: F,
        ticket: Option<Ticket>,
        guarded: bool,
    }
}

impl<F> Future for Observed<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match ready!(this.inner.poll(cx)) {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if let Some(mut ticket) = this.ticket.take() {
            ticket.answered(response.status());
            response.body_mut().observe(ticket);
        }
        if *this.guarded {
            response = response.map(|body| body.guarded(TAKE));
        }
        Poll::Ready(Ok(response))
    }
}

/// How a request is counted whose status does not tell: a protocol that answers
/// failures under 200. Clones are one tally.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<AtomicU16>);

/// No status has this value.
const ABORTED: u16 = 1;

impl Tally {
    /// It ended as an answer of this status would.
    pub fn set(&self, status: StatusCode) {
        self.0.store(status.as_u16(), Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Its client did not want the answer any more.
    pub fn abort(&self) {
        self.0.store(ABORTED, Ordering::Relaxed);
    }
}

/// One request being observed. Dropped before [`Ticket::finish`], it counts as
/// aborted: the client went away, or the answer was cut.
#[derive(Debug)]
pub struct Ticket {
    row: Arc<super::metrics::Row>,
    since: Instant,
    class: Class,
    finished: bool,
}

impl Ticket {
    fn open<R: RouteLabel>(metrics: &ObjectMetrics<R>, route: R) -> Self {
        let row = metrics.row(route);
        row.in_flight.inc();
        Self {
            row,
            since: Instant::now(),
            class: Class::Aborted,
            finished: false,
        }
    }

    fn answered(&mut self, status: StatusCode) {
        self.class = Class::of(status);
    }

    pub(super) fn finish(mut self, tally: Option<&Tally>) {
        self.finished = true;
        match tally.map_or(0, |tally| tally.0.load(Ordering::Relaxed)) {
            0 => {}
            ABORTED => self.finished = false,
            status => self.answered(StatusCode::from_u16(status).unwrap_or_default()),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let class = if self.finished {
            self.class
        } else {
            Class::Aborted
        };
        self.row.in_flight.dec();
        self.row.count(class);
        self.row
            .duration
            .observe(self.since.elapsed().as_secs_f64());
    }
}
