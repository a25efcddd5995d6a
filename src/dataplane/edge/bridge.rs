//! A plane's stack as hyper calls it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::Request;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt};

/// Calls a clone of the stack for each request; at once where the clone is ready,
/// which the planes always are: the request is not moved about to wait for it.
#[derive(Clone, Debug)]
pub(super) struct Bridge<S>(S);

impl<S> Bridge<S> {
    pub(super) fn new(stack: S) -> Self {
        Self(stack)
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Bridge<S>
where
    S: Service<Request<Incoming>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Bridged<S>;

    fn call(&self, request: Request<Incoming>) -> Bridged<S> {
        let mut stack = self.0.clone();
        // Should it not be ready, whoever waits asks again, with a waker.
        match stack.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Bridged::Called {
                future: stack.call(request),
            },
            Poll::Ready(Err(_)) | Poll::Pending => Bridged::Waiting {
                future: Box::pin(self.0.clone().oneshot(request)),
            },
        }
    }
}

pin_project! {
    /// The answer of [`Bridge`].
    #[project = BridgedProj]
    pub(super) enum Bridged<S>
    where
        S: Service<Request<Incoming>>,
    {
        Called {
            #[pin]
            future: S::Future,
        },
        Waiting {
            future: Pin<Box<Oneshot<S, Request<Incoming>>>>,
        },
    }
}

impl<S> Future for Bridged<S>
where
    S: Service<Request<Incoming>>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            BridgedProj::Called { future } => future.poll(cx),
            BridgedProj::Waiting { future } => future.as_mut().poll(cx),
        }
    }
}
