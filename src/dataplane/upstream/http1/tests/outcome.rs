//! What a client makes of the bytes of an answer: ours, and hyper's, which is an
//! implementation of the same document that we did not write.
//!
//! The fuzzer has this file too, so everything is public.
#![allow(unreachable_pub, reason = "the fuzzer's crate is another one")]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::Body;
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;

/// What is behind the bytes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The end of the connection.
    Closed,
    /// Nothing yet.
    Silence,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no head, and why not.
    NoHead(String),
    /// There is one.
    Answered {
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        end: End,
    },
    /// More is waited for.
    Waits,
}

/// How the body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It did not, and why.
    Broken(String),
    /// It did not, so far.
    Waits,
    /// It did; whether the connection takes another request.
    Whole { kept: bool },
}

/// A peer that answers what is written with bytes known before.
pub struct Script {
    asked: bool,
    pieces: VecDeque<Bytes>,
    then: Then,
}

impl Script {
    fn new(pieces: impl IntoIterator<Item = Bytes>, then: Then) -> Self {
        Self {
            asked: false,
            // To read nothing would be the end.
            pieces: pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
            then,
        }
    }

    /// One that sends before anybody asked.
    #[cfg(test)]
    pub fn asked(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut script = Self::new(pieces, Then::Silence);
        script.asked = true;
        script
    }

    /// Reads at most one piece of them into what has so much room.
    fn read(&mut self, room: usize) -> Poll<Bytes> {
        match self.pieces.front_mut() {
            _ if !self.asked => Poll::Pending,
            None if self.then == Then::Silence => Poll::Pending,
            None => Poll::Ready(Bytes::new()),
            Some(piece) => {
                let read = piece.split_to(room.min(piece.len()));
                if piece.is_empty() {
                    self.pieces.pop_front();
                }
                Poll::Ready(read)
            }
        }
    }

    fn write(&mut self, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        self.read(room).map(|read| {
            buf.put_slice(&read);
            Ok(())
        })
    }
}

impl hyper::rt::Read for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        self.read(room).map(|read| {
            buf.put_slice(&read);
            Ok(())
        })
    }
}

/// Both runtimes' traits say the same of what is written.
macro_rules! writes {
    ($($write:path),*) => {$(
        impl $write for Script {
            fn poll_write(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.write(buf)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    )*};
}

writes!(AsyncWrite, hyper::rt::Write);

/// What ours makes of an answer to a request of this method.
pub fn ours(method: &Method, pieces: impl IntoIterator<Item = Bytes>, then: Then) -> Outcome {
    let mut cx = Context::from_waker(Waker::noop());
    let mut connection = Connection::new(Script::new(pieces, then));
    assert!(connection.poll_unasked(&mut cx).is_pending());
    let request = Request::builder().method(method).body(()).unwrap();
    connection
        .ask(
            &mut cx,
            &request,
            Bytes::new(),
            &HeaderValue::from_static("a"),
        )
        .unwrap();
    let head = match connection.poll_head(&mut cx, &mut HeaderMap::new()) {
        Poll::Pending => return Outcome::Waits,
        Poll::Ready(Err(error)) => return Outcome::NoHead(error.to_string()),
        Poll::Ready(Ok(head)) => head,
    };
    let mut body = Vec::new();
    body.extend(connection.take_whole().unwrap_or_default());
    let end = loop {
        match connection.poll_data(&mut cx) {
            Poll::Pending => break End::Waits,
            Poll::Ready(None) => {
                break End::Whole {
                    kept: connection.settle(),
                };
            }
            Poll::Ready(Some(Err(error))) => break End::Broken(error.to_string()),
            Poll::Ready(Some(Ok(piece))) => {
                assert!(!piece.is_empty(), "a piece of nothing");
                body.extend(piece);
            }
        }
    };
    Outcome::Answered {
        status: head.status.as_u16(),
        headers: listed(&head.headers),
        body,
        end,
    }
}

/// What hyper's makes of the same.
pub fn hypers(method: &Method, bytes: Bytes, then: Then) -> Outcome {
    let script = Script::new([bytes], then);
    let handshake = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(script);
    let Some(Ok((mut sender, mut connection))) = settled(handshake) else {
        panic!("no handshake");
    };
    let mut cx = Context::from_waker(Waker::noop());
    let request = Request::builder()
        .method(method)
        .uri("/")
        .body(Empty::new());
    let mut answer = pin!(sender.send_request(request.unwrap()));
    let mut rounds = 0;
    let answer = loop {
        // It has ended, maybe; the answer says so too.
        let over = Pin::new(&mut connection).poll(&mut cx).is_ready();
        match answer.as_mut().poll(&mut cx) {
            Poll::Ready(Err(error)) => return Outcome::NoHead(error.to_string()),
            Poll::Ready(Ok(answer)) => break (answer, over),
            Poll::Pending if over || rounds > ROUNDS => return Outcome::Waits,
            Poll::Pending => rounds += 1,
        }
    };
    let (answer, mut over) = answer;
    let (head, mut incoming) = answer.into_parts();
    let (mut body, mut waited) = (Vec::new(), 0);
    let end = loop {
        over = over || Pin::new(&mut connection).poll(&mut cx).is_ready();
        match Pin::new(&mut incoming).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => {
                body.extend(frame.into_data().unwrap_or_default());
                waited = 0;
            }
            Poll::Ready(Some(Err(error))) => break End::Broken(error.to_string()),
            Poll::Ready(None) => {
                over = over || Pin::new(&mut connection).poll(&mut cx).is_ready();
                let kept = !over && sender.is_ready();
                break End::Whole { kept };
            }
            Poll::Pending if waited > ROUNDS => break End::Waits,
            Poll::Pending => waited += 1,
        }
    };
    Outcome::Answered {
        status: head.status.as_u16(),
        headers: listed(&head.headers),
        body,
        end,
    }
}

/// So often it is asked again before it is said to wait.
const ROUNDS: usize = 8;

/// What needs nothing but to be asked.
fn settled<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..ROUNDS).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

fn listed(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let field = |(name, value): (&http::HeaderName, &HeaderValue)| {
        (name.to_string(), value.as_bytes().to_vec())
    };
    headers.iter().map(field).collect()
}
