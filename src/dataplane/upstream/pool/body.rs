//! The body of an upstream's answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http1::Http1;
use super::place::Place;

type Frames = Poll<Option<Result<Frame<Bytes>, hyper::Error>>>;

/// An answer's bytes as they come. Dropped before its end, it cancels the request.
///
/// Over HTTP/1.1 it drives its connection: nothing is read while nobody asks.
pub struct UpstreamBody {
    incoming: Incoming,
    /// Of HTTP/1.1, until all of the answer was read from it.
    connection: Option<Driven>,
}

struct Driven {
    http1: Http1,
    home: Arc<Place>,
}

impl UpstreamBody {
    /// Of a connection that has a task.
    pub(super) fn shared(incoming: Incoming) -> Self {
        Self {
            incoming,
            connection: None,
        }
    }

    /// Of a connection that has none.
    pub(super) fn driven(incoming: Incoming, http1: Http1, home: &Arc<Place>) -> Self {
        let mut body = Self::shared(incoming);
        if http1.is_at_rest() {
            // The body, if there is any, came with the head.
            home.keep(http1);
        } else {
            body.connection = Some(Driven {
                http1,
                home: Arc::clone(home),
            });
        }
        body
    }

    /// What was read from the connection and not yet taken, and whether the connection
    /// had news meanwhile.
    fn take_read(incoming: &mut Incoming, http1: &Http1) -> (Frames, bool) {
        let mut nobody = Context::from_waker(Waker::noop());
        http1.unheard(|| Pin::new(incoming).poll_frame(&mut nobody))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Frames {
        let this = &mut *self;
        let Some(Driven { http1, .. }) = &mut this.connection else {
            return Pin::new(&mut this.incoming).poll_frame(cx);
        };
        // News of this time are heard by driving, or by being asked again.
        if let (Poll::Ready(frame), _) = Self::take_read(&mut this.incoming, http1) {
            return Poll::Ready(frame);
        }
        let ended = http1.drive(cx).is_ready();
        let (frame, missed) = Self::take_read(&mut this.incoming, http1);
        if missed && frame.is_pending() {
            cx.waker().wake_by_ref();
        }
        let over = ended || http1.is_at_rest();
        if over && let Some(Driven { http1, home }) = this.connection.take() {
            home.keep(http1);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamBody")
    }
}
