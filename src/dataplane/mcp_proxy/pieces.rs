//! A stream of pieces as a body that knows its last one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use agentkube_mcp::sse;
use bytes::Bytes;
use futures::stream::{Stream, StreamExt, unfold};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::relay::KEEP_ALIVE;
use crate::edge::BoxError;

/// A part of a body.
pub(super) struct Piece {
    bytes: Bytes,
    last: bool,
}

impl Piece {
    /// More comes after it.
    pub(super) fn open(text: impl Into<Bytes>) -> Self {
        Self {
            bytes: text.into(),
            last: false,
        }
    }

    /// The same, with more after it.
    pub(super) fn and_more(self) -> Self {
        Self {
            last: false,
            ..self
        }
    }

    /// Nothing comes after it.
    pub(super) fn last(text: impl Into<Bytes>) -> Self {
        Self {
            bytes: text.into(),
            last: true,
        }
    }
}

/// Pieces that a future makes while they are read: it runs only then, and ends
/// with the reader.
pub(super) struct Driven<F> {
    future: Option<Pin<Box<F>>>,
    pieces: mpsc::Receiver<Piece>,
}

impl<F> Driven<F> {
    pub(super) fn new(future: F, pieces: mpsc::Receiver<Piece>) -> Self {
        Self {
            future: Some(Box::pin(future)),
            pieces,
        }
    }
}

impl<F: Future<Output = ()>> Stream for Driven<F> {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        if let Some(future) = &mut self.future
            && future.as_mut().poll(cx).is_ready()
        {
            self.future = None;
        }
        self.pieces.poll_recv(cx)
    }
}

/// These pieces, and comments while there are none.
pub(super) fn kept_alive<S>(pieces: S) -> impl Stream<Item = Piece> + Send
where
    S: Stream<Item = Piece> + Send,
{
    unfold(Box::pin(pieces), |mut pieces| async move {
        match timeout(KEEP_ALIVE, pieces.next()).await {
            Err(_) => Some((Piece::open(sse::KEEP_ALIVE), pieces)),
            Ok(piece) => Some((piece?, pieces)),
        }
    })
}

/// These pieces as a body.
pub(super) fn pieces_body(
    pieces: impl Stream<Item = Piece> + Send,
) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send {
    Pieces {
        pieces: Box::pin(pieces),
        ended: false,
    }
}

struct Pieces<S> {
    pieces: Pin<Box<S>>,
    ended: bool,
}

impl<S: Stream<Item = Piece>> HttpBody for Pieces<S> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.as_mut().poll_next(cx).map(|piece| {
            let piece = piece?;
            self.ended = piece.last;
            Some(Ok(Frame::data(piece.bytes)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
