//! Errors and panics become responses here and nowhere else.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;
use tower::Service;
use tracing::error;

use super::{Body, Fault, Plane, RouteLabel, Routed};

/// Renders what went wrong below it in the client's dialect.
#[derive(Clone, Debug)]
pub struct Rescue<P, S> {
    plane: P,
    inner: S,
}

impl<P, S> Rescue<P, S> {
    /// Rescues the requests of `inner`.
    pub fn new(plane: P, inner: S) -> Self {
        Self { plane, inner }
    }
}

impl<P, S, B> Service<Routed<P::Route, B>> for Rescue<P, S>
where
    P: Plane,
    S: Service<Routed<P::Route, B>, Response = Response<Body>, Error = Fault<P::Error>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Rescued<P, S::Future>;

    /// Always ready: the planes acquire nothing in `poll_ready`; a failure there
    /// would come back from `call`.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed<P::Route, B>) -> Self::Future {
        let route = routed.route;
        Rescued {
            inner: self.inner.call(routed),
            plane: self.plane.clone(),
            route,
        }
    }
}

pin_project! {
    /// The answer of [`Rescue`].
    #[derive(Debug)]
    pub struct Rescued<P: Plane, F> {
        #[pin]
        inner: F,
        plane: P,
        route: P::Route,
    }
}

impl<P, F> Future for Rescued<P, F>
where
    P: Plane,
    F: Future<Output = Result<Response<Body>, Fault<P::Error>>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Unwind safety: a future that panicked is never polled again.
        let answer = match catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => answer,
            Err(_) => {
                // The panic hook printed where; the payload may hold user data.
                error!(route = this.route.as_str(), "request handler panicked");
                Err(Fault::Panicked)
            }
        };
        Poll::Ready(Ok(match answer {
            Ok(response) => response,
            Err(fault) => this.plane.render(*this.route, fault),
        }))
    }
}
