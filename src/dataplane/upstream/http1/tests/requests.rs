use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderValue, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// Takes what is written, so many bytes at a time.
#[derive(Debug)]
struct Sink {
    taken: Vec<u8>,
    at_once: usize,
    writes: usize,
    /// Every other write has to wait.
    waits: bool,
    /// What is written behind so many bytes fails.
    fails_at: usize,
}

impl Sink {
    fn of(at_once: usize) -> Self {
        Self {
            taken: Vec::new(),
            at_once,
            writes: 0,
            waits: false,
            fails_at: usize::MAX,
        }
    }
}

impl AsyncRead for Sink {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.taken.len() >= self.fails_at {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.waits = !self.waits;
        if !self.waits && self.at_once < usize::MAX {
            return Poll::Pending;
        }
        self.writes += 1;
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let taken = self.at_once.min(all.len());
        self.taken.extend_from_slice(&all[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn mk_request(method: &str, uri: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn written(request: &Request<()>, body: &'static str, sink: Sink) -> Sink {
    let mut cx = Context::from_waker(Waker::noop());
    let mut connection = Connection::new(sink);
    let host = HeaderValue::from_static("upstream:81");
    connection
        .ask(&mut cx, request, Bytes::from_static(body.as_bytes()), &host)
        .unwrap();
    let mut spare = http::HeaderMap::new();
    loop {
        let before = connection.stream().taken.len();
        assert!(connection.poll_head(&mut cx, &mut spare).is_pending());
        if connection.stream().taken.len() == before {
            break;
        }
    }
    connection.into_stream()
}

/// Method, URI, headers, body, and what is written.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

#[test]
fn requests_are_written_as_they_are_meant() {
    let cases: [Case; 11] = [
        (
            "GET",
            "http://a/b?c",
            &[],
            "",
            "GET /b?c HTTP/1.1\r\nhost: upstream:81\r\n\r\n",
        ),
        (
            "GET",
            "http://a",
            &[],
            "",
            "GET / HTTP/1.1\r\nhost: upstream:81\r\n\r\n",
        ),
        (
            "GET",
            "http://a?b",
            &[],
            "",
            "GET /?b HTTP/1.1\r\nhost: upstream:81\r\n\r\n",
        ),
        (
            "DELETE",
            "http://a/",
            &[],
            "",
            "DELETE / HTTP/1.1\r\nhost: upstream:81\r\n\r\n",
        ),
        (
            "POST",
            "http://a/",
            &[("x-a", "b"), ("host", "c"), ("x-a", "d")],
            "hello",
            "POST / HTTP/1.1\r\nhost: c\r\nx-a: b\r\nx-a: d\r\ncontent-length: 5\r\n\r\nhello",
        ),
        (
            "POST",
            "http://a/",
            &[],
            "",
            "POST / HTTP/1.1\r\nhost: upstream:81\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "PUT",
            "http://a/",
            &[],
            "",
            "PUT / HTTP/1.1\r\nhost: upstream:81\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "GET",
            "http://a/",
            &[],
            "ten bytes.",
            "GET / HTTP/1.1\r\nhost: upstream:81\r\ncontent-length: 10\r\n\r\nten bytes.",
        ),
        // Two lengths are one too many, and the body's is known.
        (
            "POST",
            "http://a/",
            &[("content-length", "99")],
            "hi",
            "POST / HTTP/1.1\r\nhost: upstream:81\r\ncontent-length: 2\r\n\r\nhi",
        ),
        (
            "POST",
            "http://a/",
            &[("transfer-encoding", "chunked")],
            "hi",
            "POST / HTTP/1.1\r\nhost: upstream:81\r\ncontent-length: 2\r\n\r\nhi",
        ),
        (
            "HEAD",
            "http://a/",
            &[("x-empty", "")],
            "",
            "HEAD / HTTP/1.1\r\nhost: upstream:81\r\nx-empty: \r\n\r\n",
        ),
    ];
    for (method, uri, fields, body, expected) in cases {
        let sink = written(&mk_request(method, uri, fields), body, Sink::of(usize::MAX));
        assert_eq!(String::from_utf8(sink.taken).unwrap(), expected);
    }
}

#[test]
fn head_and_body_are_one_write() {
    let request = mk_request("POST", "http://a/", &[]);
    assert_eq!(written(&request, "hello", Sink::of(usize::MAX)).writes, 1);
}

#[test]
fn what_is_taken_in_small_pieces_is_the_same() {
    let request = mk_request("POST", "http://a/long", &[("x-a", "b")]);
    let whole = written(&request, "hello, you", Sink::of(usize::MAX)).taken;
    for at_once in [1, 2, 3, 50] {
        let sink = written(&request, "hello, you", Sink::of(at_once));
        assert!(sink.writes > 1);
        assert_eq!(sink.taken, whole, "{at_once} at once");
    }
}

#[test]
fn numbers_are_written_in_full() {
    for length in [1, 9, 10, 19, 100, 99_999, 1_000_000] {
        let body: &'static str = "a".repeat(length).leak();
        let sink = written(
            &mk_request("POST", "http://a/", &[]),
            body,
            Sink::of(usize::MAX),
        );
        let text = String::from_utf8(sink.taken).unwrap();
        assert!(text.contains(&format!("\r\ncontent-length: {length}\r\n")));
    }
}

#[test]
fn a_stream_that_takes_nothing_is_told_from_one_that_took_some() {
    let mut cx = Context::from_waker(Waker::noop());
    let request = mk_request("POST", "http://a/", &[]);
    let host = HeaderValue::from_static("a");
    let mut ask = |fails_at| {
        let mut sink = Sink::of(8);
        sink.fails_at = fails_at;
        let mut connection = Connection::new(sink);
        let asked = connection.ask(&mut cx, &request, Bytes::new(), &host);
        let head = connection.poll_head(&mut cx, &mut http::HeaderMap::new());
        (asked, head)
    };
    let (asked, head) = ask(0);
    assert!(matches!(asked, Err(Error::Refused)));
    assert!(matches!(head, Poll::Ready(Err(Error::Refused))));
    // The peer may have answered what it got.
    let (asked, head) = ask(8);
    assert!(asked.is_ok() && head.is_pending());
}
