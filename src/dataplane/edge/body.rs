//! The response body of both planes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::stall::Guarded;
use super::{Permit, Tally, Ticket};

/// An error of any layer's body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response body.
///
/// The permit and the ticket live in it: a streamed answer still occupies the
/// replica, and is counted when its last byte went out, or when the client went
/// away before that.
pub struct Body {
    data: Data,
    permit: Option<Permit>,
    ticket: Option<Ticket>,
    tally: Option<Tally>,
}

enum Data {
    Full(Option<Bytes>),
    Guarded(Guarded),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>),
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Data::Full(None))
    }

    /// These bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(Data::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// A stream. Its `is_end_stream` must turn true with the last frame, else a
    /// complete answer may be counted as aborted.
    #[must_use]
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BoxError> + Send + 'static) -> Self {
        Self::of(Data::Stream(Box::pin(body)))
    }

    fn of(data: Data) -> Self {
        Self {
            data,
            permit: None,
            ticket: None,
            tally: None,
        }
    }

    /// Counts the request by this tally, once it ended, instead of by its status.
    pub fn count_by(&mut self, tally: Tally) {
        self.tally = Some(tally);
    }

    /// Keeps the permit until the body is gone.
    pub(super) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Closes the ticket when the body ends, or is dropped.
    pub(super) fn observe(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    /// Given up when its client takes nothing of it for so long.
    pub(super) fn guarded(self, limit: Duration) -> Self {
        Self::of(Data::Guarded(Guarded::new(self, limit)))
    }

    fn is_complete(&self) -> bool {
        match &self.data {
            Data::Full(_) => true,
            // What counts is inside of it.
            Data::Guarded(_) => false,
            Data::Stream(body) => body.is_end_stream(),
        }
    }

    fn finish(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.finish(self.tally.as_ref());
        }
        self.permit = None;
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // A server stops polling once it has the last frame.
        if self.is_complete() {
            self.finish();
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match &mut self.data {
            Data::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Data::Guarded(body) => body.poll_frame(cx),
            Data::Stream(body) => body.as_mut().poll_frame(cx),
        };
        match frame {
            Poll::Ready(None) => self.finish(),
            // Cut: what ends here is not the answer, whatever its status was.
            Poll::Ready(Some(Err(_))) => match &self.tally {
                Some(tally) if tally.is_set() => self.finish(),
                _ => self.ticket = None,
            },
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.data {
            Data::Full(bytes) => bytes.is_none(),
            Data::Guarded(body) => body.is_end_stream(),
            Data::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.data {
            Data::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Data::Guarded(body) => body.size_hint(),
            Data::Stream(body) => body.size_hint(),
        }
    }
}
