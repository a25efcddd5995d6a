//! The body of an upstream's answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http1::Http1;
use super::place::Place;
use crate::upstream::error::{BodyError, Broke};

/// An answer's bytes as they come. Dropped before its end, it cancels the request.
///
/// Over HTTP/1.1 it reads its connection: nothing is read while nobody asks.
pub struct UpstreamBody(Source);

enum Source {
    /// There is nothing, or nothing more.
    Ended,
    /// Of a connection that has no task, until all of the answer was read.
    Http1(Http1, Arc<Place>),
    /// Of one that has a task.
    Http2(Incoming),
    /// All of it, which came with the head.
    Whole(Bytes),
}

impl UpstreamBody {
    pub(super) fn over_http2(incoming: Incoming) -> Self {
        Self(Source::Http2(incoming))
    }

    pub(super) fn over_http1(mut http1: Http1, home: &Arc<Place>) -> Self {
        let whole = http1.connection().take_whole();
        if !http1.connection().is_ended() {
            return Self(Source::Http1(http1, Arc::clone(home)));
        }
        home.keep(http1);
        Self(whole.map_or(Source::Ended, Source::Whole))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let source = &mut self.0;
        let piece = match source {
            Source::Ended => None,
            Source::Http1(http1, _) => ready!(http1.connection().poll_data(cx)),
            Source::Http2(incoming) => {
                let frame = Pin::new(incoming).poll_frame(cx);
                return frame.map_err(|error| Broke::from(error).into());
            }
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
        };
        let over = match source {
            Source::Http1(http1, _) => {
                !matches!(piece, Some(Ok(_))) || http1.connection().is_ended()
            }
            _ => true,
        };
        if over && let Source::Http1(http1, home) = std::mem::replace(source, Source::Ended) {
            home.keep(http1);
        }
        Poll::Ready(piece.map(|piece| match piece {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(error) => Err(Broke::from(error).into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Ended => true,
            Source::Http1(..) | Source::Whole(_) => false,
            Source::Http2(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Ended => SizeHint::with_exact(0),
            Source::Http1(http1, _) => http1
                .left()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Source::Http2(incoming) => incoming.size_hint(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamBody")
    }
}
