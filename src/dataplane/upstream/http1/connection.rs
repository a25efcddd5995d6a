//! A connection: a stream, and how far its request and its answer are.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::Error;
use super::head::{Awaited, Head};
use super::left::Left;
use super::outgoing::Outgoing;
use super::room::Room;

/// A connection over a stream.
///
/// Used in this order: [`poll_unasked`](Self::poll_unasked) and, in the same poll,
/// [`ask`](Self::ask); [`poll_head`](Self::poll_head) until it is ready;
/// [`poll_data`](Self::poll_data) until [`is_ended`](Self::is_ended);
/// [`settle`](Self::settle).
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    outgoing: Outgoing,
    /// Read and not yet taken. Empty and without memory while nothing is asked.
    buf: BytesMut,
    room: Room,
    awaited: Awaited,
    left: Left,
    /// It may be used again once the answer was read.
    keeps: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over a new stream.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            outgoing: Outgoing::default(),
            buf: BytesMut::new(),
            room: Room::new(),
            awaited: Awaited::default(),
            left: Left::Nothing,
            keeps: false,
        }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    #[cfg(test)]
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Looks whether the peer has closed it, or has sent what nobody asked for. Pending
    /// is good; what comes later wakes `cx`.
    pub(crate) fn poll_unasked(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let mut one = [0];
        let mut one = ReadBuf::new(&mut one);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut one));
        Poll::Ready(match read {
            Err(error) => error.into(),
            Ok(()) if one.filled().is_empty() => Error::Closed,
            Ok(()) => Error::Unasked,
        })
    }

    /// Writes a request as far as the stream takes it at once. `host` is for one that
    /// names none.
    ///
    /// # Errors
    /// [`Error::Refused`]; what else there is to say is said where the answer is read.
    pub(crate) fn ask<B>(
        &mut self,
        cx: &mut Context<'_>,
        request: &Request<B>,
        body: Bytes,
        host: &HeaderValue,
    ) -> Result<(), Error> {
        self.keeps = self.outgoing.begin(request, body, host);
        self.awaited = Awaited::new(*request.method() == Method::HEAD);
        self.left = Left::Nothing;
        self.write(cx)
    }

    /// Writes what there is to write. That it fails is no reason not to read, except
    /// where nothing was said at all: then nothing is an answer to it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let _ = self.outgoing.poll(&mut self.stream, cx);
        match self.outgoing.is_refused() {
            true => Err(Error::Refused),
            false => Ok(()),
        }
    }

    /// The head of the answer. Its headers are put into `spare`, which is left empty.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        spare: &mut HeaderMap,
    ) -> Poll<Result<Head, Error>> {
        loop {
            if !self.buf.is_empty()
                && let Some(mut head) = self.awaited.read(&mut self.buf, spare)?
            {
                // An answer to what was not yet said: some of that may be taken for the
                // next request.
                self.keeps &= head.keeps && self.outgoing.is_done();
                self.left = std::mem::replace(&mut head.left, Left::Nothing);
                self.left.look_ahead(&mut self.buf);
                return Poll::Ready(Ok(head));
            }
            // Some peers read no more before they were read from, so it is both.
            self.write(cx)?;
            if ready!(self.poll_more(cx)?) == 0 {
                return Poll::Ready(Err(Error::Closed));
            }
        }
    }

    /// The body, if all of it came with the head.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        self.left.take_whole(&mut self.buf)
    }

    /// The next piece of the body. None at its end.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            match self.left.take(&mut self.buf) {
                Ok(None) => {}
                taken => return Poll::Ready(taken.transpose()),
            }
            if self.left.is_at_end() {
                return Poll::Ready(None);
            }
            let _ = self.outgoing.poll(&mut self.stream, cx);
            if ready!(self.poll_more(cx)?) > 0 {
                continue;
            }
            let Left::UntilClose = self.left else {
                return Poll::Ready(Some(Err(Error::Cut)));
            };
            self.left = Left::Nothing;
            self.keeps = false;
        }
    }

    /// All of the answer was taken.
    pub(crate) fn is_ended(&self) -> bool {
        self.left.is_at_end()
    }

    /// How many bytes of the body are to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left.exact()
    }

    /// Ends what was asked. False when nothing can be asked any more.
    pub(crate) fn settle(&mut self) -> bool {
        // What is behind an answer belongs to none.
        let clean = self.is_ended() && self.buf.is_empty() && self.outgoing.is_done();
        self.buf = BytesMut::new();
        self.room.settle();
        self.outgoing.rest();
        std::mem::take(&mut self.keeps) && clean
    }

    /// Reads.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        self.room.make(&mut self.buf, &self.left);
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.buf))?;
        self.room.record(read);
        Poll::Ready(Ok(read))
    }
}
