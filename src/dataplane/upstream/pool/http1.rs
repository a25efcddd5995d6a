//! An HTTP/1.1 connection that is driven by whoever waits for its answer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;
use http_body_util::Full;
use hyper::client::conn::http1;

use super::body::UpstreamBody;
use super::place::Place;
use super::relay::Relay;
use super::{Answered, Failed, Sent};
use crate::upstream::connect::Stream;
use crate::upstream::error::root;

/// A connection. Boxed, since it is moved from the pool to a request, to the body
/// of its answer, and back.
pub(super) struct Http1(Box<Inner>);

struct Inner {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once it has ended.
    driver: Option<http1::Connection<Stream, Full<Bytes>>>,
    relay: Arc<Relay>,
    /// The relay's.
    waker: Waker,
}

impl Http1 {
    /// A connection over a stream.
    pub(super) async fn start(stream: Stream) -> hyper::Result<Self> {
        let (sender, driver) = http1::handshake(stream).await?;
        let relay = Arc::new(Relay::default());
        Ok(Self(Box::new(Inner {
            sender,
            driver: Some(driver),
            waker: Waker::from(Arc::clone(&relay)),
            relay,
        })))
    }

    /// Sends a request and waits for the head of its answer. The connection goes
    /// back to its place when the answer has been read.
    pub(super) async fn send(
        mut self,
        mut request: Sent,
        home: &Arc<Place>,
    ) -> Result<Answered, Failed> {
        let uri = request.uri().clone();
        *request.uri_mut() = origin(&uri);
        if !request.headers().contains_key(http::header::HOST) {
            request
                .headers_mut()
                .insert(http::header::HOST, home.key.host());
        }
        let mut answer = pin!(self.0.sender.try_send_request(request));
        let inner = &mut *self.0;
        // Only the connection has news, and it is polled first: the answer needs no
        // waker of its own.
        let answer = poll_fn(|cx| {
            let driven = inner.drive(cx);
            let mut nobody = Context::from_waker(Waker::noop());
            match (answer.as_mut().poll(&mut nobody), driven) {
                (Poll::Ready(answer), _) => Poll::Ready(Some(answer)),
                (Poll::Pending, Poll::Ready(())) => Poll::Ready(None),
                (Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        });
        match answer.await {
            Some(Ok(response)) => {
                let (head, incoming) = response.into_parts();
                let body = UpstreamBody::driven(incoming, self, home);
                Ok(Answered::from_parts(head, body))
            }
            Some(Err(mut error)) => {
                let why = root(error.error());
                Err(match error.take_message() {
                    Some(mut request) => {
                        *request.uri_mut() = uri;
                        Failed::Unsent(Box::new(request), why)
                    }
                    None => Failed::Broken(why),
                })
            }
            None => Err(Failed::Broken("connection closed".to_owned())),
        }
    }

    /// Lets it do what it can. Ready when it has ended; `cx` is woken when it could
    /// do more.
    pub(super) fn drive(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.0.drive(cx)
    }

    /// Does something that the connection need not wake anybody for, and tells whether
    /// it would have.
    pub(super) fn unheard<T>(&self, action: impl FnOnce() -> T) -> (T, bool) {
        self.0.relay.unheard(action)
    }

    /// True when it takes a request: the last answer was read to its end.
    pub(super) fn is_at_rest(&self) -> bool {
        self.0.driver.is_some() && self.0.sender.is_ready()
    }

    /// Nobody drives it from here on.
    pub(super) fn leave(&self) {
        self.0.relay.leave();
    }

    /// Looks whether the peer has closed it, or has sent what nobody asked for.
    pub(super) fn is_open(&mut self) -> bool {
        let nobody = Context::from_waker(Waker::noop());
        self.drive(&nobody).is_pending() && self.is_at_rest()
    }
}

impl Inner {
    fn drive(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(());
        };
        self.relay.listen(cx.waker());
        let mut own = Context::from_waker(&self.waker);
        // What went wrong is told to the request, or to the body of its answer.
        let ended = Pin::new(driver).poll(&mut own).is_ready();
        if ended {
            // A request that it had not begun comes back by this.
            self.driver = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// What HTTP/1.1 says of an address (RFC 9112, 3.2.1).
fn origin(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
}
