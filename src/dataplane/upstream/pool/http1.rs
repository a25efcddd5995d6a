//! An HTTP/1.1 connection of a pool, which is polled by whoever waits for its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::task::coop;

use super::body::UpstreamBody;
use super::place::Place;
use super::{Answered, Failed, Sent};
use crate::upstream::connect::Stream;
use crate::upstream::error::root;
use crate::upstream::http1::{Connection, Error, Head};

/// A connection. Boxed, since it is moved from the pool to a request, to the body
/// of its answer, and back.
pub(super) struct Http1(Box<Connection<Stream>>);

/// Why there is no head of an answer.
enum Unanswered {
    /// Nothing of the request was sent.
    Unsent(Error),
    /// Some of it may have been.
    Broken(Error),
}

impl Http1 {
    /// A connection over a stream.
    pub(super) fn new(stream: Stream) -> Self {
        Self(Box::new(Connection::new(stream)))
    }

    /// Sends a request and waits for the head of its answer. The connection goes
    /// back to its place when the answer has been read.
    pub(super) async fn send(
        mut self,
        mut request: Sent,
        home: &Arc<Place>,
    ) -> Result<Answered, Failed> {
        if *request.method() == Method::CONNECT {
            // Its answer would be a tunnel.
            return Err(Failed::Broken("CONNECT is not for upstreams".to_owned()));
        }
        let mut asked = false;
        let answered = poll_fn(|cx| {
            if asked {
                let head = self.0.poll_head(cx, request.headers_mut());
                return head.map_err(|error| self.unanswered(error));
            }
            if !coop::has_budget_remaining() {
                // What is idle would look as if nothing had come over it.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Poll::Ready(error) = self.0.poll_unasked(cx) {
                return Poll::Ready(Err(Unanswered::Unsent(error)));
            }
            asked = true;
            let body = bytes(&request);
            match self.0.ask(cx, &request, body, home.key.host()) {
                // The look at what is idle has left a waker for the answer.
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(self.unanswered(error))),
            }
        });
        match answered.await {
            Ok(head) => Ok(respond(head, self, home)),
            Err(Unanswered::Unsent(error)) => Err(Failed::Unsent(Box::new(request), root(&error))),
            Err(Unanswered::Broken(error)) => Err(Failed::Broken(root(&error))),
        }
    }

    fn unanswered(&self, error: Error) -> Unanswered {
        match error {
            Error::Refused if self.0.stream().is_plain() => Unanswered::Unsent(error),
            error => Unanswered::Broken(error),
        }
    }

    /// The connection itself.
    pub(super) fn connection(&mut self) -> &mut Connection<Stream> {
        &mut self.0
    }

    /// How many bytes of the answer's body are to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.0.left()
    }

    /// Ends what was asked; false when it takes no other request.
    pub(super) fn settle(&mut self) -> bool {
        self.0.settle()
    }

    /// Looks whether the peer has closed it, or has sent what nobody asked for.
    pub(super) fn is_open(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        self.0.poll_unasked(&mut nobody).is_pending()
    }
}

fn respond(head: Head, http1: Http1, home: &Arc<Place>) -> Answered {
    let mut response = Response::new(UpstreamBody::over_http1(http1, home));
    *response.status_mut() = head.status;
    *response.version_mut() = head.version;
    *response.headers_mut() = head.headers;
    response
}

/// The body, which stays in the request should that go to another connection.
fn bytes(request: &Sent) -> Bytes {
    let mut body: Full<Bytes> = request.body().clone();
    let mut nobody = Context::from_waker(Waker::noop());
    match Pin::new(&mut body).poll_frame(&mut nobody) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}
