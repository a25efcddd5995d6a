//! At most so many requests under way in this replica; the others are refused
//! at once instead of queued, since a queued model request only grows stale.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;
use tower::Service;

use super::{Body, Fault};

/// Refuses with [`Fault::Overloaded`] what passes the limit.
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    under_way: Arc<AtomicUsize>,
    limit: usize,
    inner: S,
}

/// The right to be under way. It moves into the response body.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl<S> InFlight<S> {
    /// At most `limit` requests at once through `inner` and its clones.
    pub fn new(limit: usize, inner: S) -> Self {
        Self {
            under_way: Arc::default(),
            limit,
            inner,
        }
    }

    fn acquire(&self) -> Option<Permit> {
        let permit = Permit(Arc::clone(&self.under_way));
        // Permit's drop takes back what is added here, also over the limit.
        (self.under_way.fetch_add(1, Ordering::AcqRel) < self.limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<S, R, E> Service<R> for InFlight<S>
where
    S: Service<R, Response = Response<Body>, Error = E>,
{
    type Response = Response<Body>;
    type Error = Fault<E>;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault<E>>> {
        self.inner.poll_ready(cx).map_err(Fault::Failed)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.acquire() {
            Some(permit) => Admitted::Running {
                inner: self.inner.call(request),
                permit: Some(permit),
            },
            None => Admitted::Refused,
        }
    }
}

pin_project! {
    /// The answer of [`InFlight`].
    #[project = AdmittedProj]
    #[derive(Debug)]
    pub enum Admitted<F> {
        /// The request holds a permit.
        Running {
            #[pin]
            inner: F,
            permit: Option<Permit>,
        },
        /// There was none left.
        Refused,
    }
}

impl<F, E> Future for Admitted<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, Fault<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AdmittedProj::Refused => Poll::Ready(Err(Fault::Overloaded)),
            AdmittedProj::Running { inner, permit } => {
                let mut response = ready!(inner.poll(cx)).map_err(Fault::Failed)?;
                if let Some(permit) = permit.take() {
                    response.body_mut().hold(permit);
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}
