//! Answers on their way to the client, chunk by chunk and pull-based: the
//! upstream is read when the client took what came before.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use agentkube_llm::{Dialect, End, answer};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};

use super::answer_tap::AnswerTap;
use super::clock::Clock;
use super::metrics::Outcome;
use super::settle::Settlement;
use crate::edge::{Body, BoxError, Tally};

/// After the dialect's own terminator only the end of the body is awaited, so
/// that the connection can be used again; not for long.
const LINGER: Duration = Duration::from_secs(1);

/// Of an answer that is not held: its usage is not longer, and comes last.
const TAIL: usize = 8 * 1024;

/// A streamed answer whose first event came.
///
/// # Guarantees
/// - Whole events only, so an in-band error can always follow.
/// - An answer that is cut or stalls ends in an error event, never in the
///   terminator of its dialect.
/// - Dropped, it cancels the request; usage is settled with what is known.
pub(super) struct StreamBody<B> {
    /// Gone once it ended.
    upstream: Option<B>,
    tap: AnswerTap,
    clock: Clock,
    idle: Duration,
    settlement: Settlement,
    tally: Tally,
    done: bool,
}

impl<B> StreamBody<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    pub(super) fn body(
        upstream: B,
        tap: AnswerTap,
        clock: Clock,
        idle: Duration,
        settlement: Settlement,
    ) -> Body {
        let tally = Tally::default();
        let mut stream = Self {
            tally: tally.clone(),
            upstream: Some(upstream),
            tap,
            clock,
            idle,
            settlement,
            done: false,
        };
        // The terminator may have come with the first event.
        stream.clock.restart(stream.patience());
        let mut body = Body::stream(stream);
        body.count_by(tally);
        body
    }

    /// How long to wait for what comes next.
    fn patience(&self) -> Duration {
        if self.tap.terminated() {
            LINGER
        } else {
            self.idle
        }
    }

    fn took(&mut self, chunk: Bytes) {
        match self.tap.feed(chunk) {
            Ok(()) => self.clock.restart(self.patience()),
            Err(_) => self.end(End::Cut),
        }
    }

    /// The upstream's body ended; what the client still has to be told is in the
    /// tap.
    fn end(&mut self, end: End) {
        self.upstream = None;
        let outcome = self.tap.finish(end);
        self.settlement.used(self.tap.usage());
        if !matches!(outcome, agentkube_llm::Outcome::Finished) {
            // The head said 200 before anybody knew.
            self.tally.set(StatusCode::BAD_GATEWAY);
        }
        match outcome {
            agentkube_llm::Outcome::Finished => self.settlement.close(Outcome::Ok),
            agentkube_llm::Outcome::Truncated => {
                self.settlement.broke_off("the provider's stream was cut");
            }
            agentkube_llm::Outcome::Failed(failure) => {
                let code = failure.code.as_deref().unwrap_or("error");
                let why = format!("the provider's stream failed ({code})");
                self.settlement.broke_off(&why);
            }
        }
    }
}

impl<B> HttpBody for StreamBody<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.tap.pop() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(upstream) = &mut this.upstream else {
                this.done = true;
                return Poll::Ready(None);
            };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        this.took(chunk);
                    }
                }
                Poll::Ready(Some(Err(_))) => this.end(End::Cut),
                Poll::Ready(None) => this.end(End::Clean),
                Poll::Pending => match this.clock.poll_expired(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => this.end(End::Stalled),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }
}

impl<B> Drop for StreamBody<B> {
    fn drop(&mut self) {
        self.settlement.used(self.tap.usage());
        if self.tap.terminated() {
            // The client has all of it and did not wait for the end of the body.
            self.settlement.close(Outcome::Ok);
        }
    }
}

/// An answer in one piece that is too large to be read first.
pub(super) struct RestBody<B> {
    dialect: Dialect,
    tail: Vec<u8>,
    read: Option<Bytes>,
    upstream: Option<B>,
    clock: Clock,
    idle: Duration,
    settlement: Settlement,
    tally: Tally,
}

impl<B> RestBody<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    pub(super) fn body(
        dialect: Dialect,
        read: Bytes,
        upstream: B,
        clock: Clock,
        idle: Duration,
        settlement: Settlement,
    ) -> Body {
        let tally = Tally::default();
        let mut body = Body::stream(Self {
            tally: tally.clone(),
            dialect,
            tail: Vec::new(),
            read: Some(read),
            upstream: Some(upstream),
            clock,
            idle,
            settlement,
        });
        body.count_by(tally);
        body
    }

    /// Usage comes last, and may be split.
    fn keep(&mut self, bytes: &[u8]) {
        if bytes.len() < TAIL {
            let excess = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
            self.tail.drain(..excess);
        } else {
            self.tail.clear();
        }
        let from = bytes.len().saturating_sub(TAIL);
        self.tail
            .extend_from_slice(bytes.get(from..).unwrap_or_default());
    }

    /// The connection to the client is cut: it cannot take this for the whole.
    fn fail(&mut self, why: &'static str) -> BoxError {
        self.upstream = None;
        self.tally.set(StatusCode::BAD_GATEWAY);
        self.settlement.broke_off(why);
        why.into()
    }
}

impl<B> HttpBody for RestBody<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(bytes) = this.read.take() {
            this.keep(&bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(upstream) = &mut this.upstream else {
            return Poll::Ready(None);
        };
        match Pin::new(upstream).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.clock.restart(this.idle);
                if let Some(bytes) = frame.data_ref() {
                    this.keep(bytes);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                let error = this.fail("the provider's answer was cut");
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                this.upstream = None;
                this.settlement
                    .used(answer::read_tail(this.dialect, &this.tail));
                this.settlement.close(Outcome::Ok);
                Poll::Ready(None)
            }
            Poll::Pending => this.clock.poll_expired(cx).map(|()| {
                let error = this.fail("the provider's answer stalled");
                Some(Err(error))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.upstream.is_none()
    }
}
