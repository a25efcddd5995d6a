//! A request on its way out (RFC 9112, 3 and 6).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Uri};
use tokio::io::AsyncWrite;

/// What an idle connection keeps to write heads into, at most. They are shorter.
const KEPT: usize = 2 * 1024;

/// Head and body, written together.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Done,
    /// It cannot be written. The answer may be there all the same, and say why; else the
    /// stream says so where it is read.
    Failed,
    /// Written; TLS may hold some of it.
    Flushing,
    Writing,
}

impl Outgoing {
    /// Begins with a request; `host` is for one that names none. False when it asks the
    /// peer to close the connection.
    pub(super) fn begin<B>(
        &mut self,
        request: &Request<B>,
        body: Bytes,
        host: &HeaderValue,
    ) -> bool {
        let keeps = write_head(&mut self.head, request, body.len(), host);
        self.body = body;
        self.written = 0;
        self.stage = Stage::Writing;
        keeps
    }

    /// Writes what the stream takes. Ready when there is nothing more to do, for good or
    /// ill.
    pub(super) fn poll<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()>
    where
        S: AsyncWrite + Unpin,
    {
        if matches!(self.stage, Stage::Done | Stage::Failed) {
            return Poll::Ready(());
        }
        self.stage = match ready!(self.poll_all(Pin::new(stream), cx)) {
            Ok(()) => Stage::Done,
            Err(_) => Stage::Failed,
        };
        self.body = Bytes::new();
        Poll::Ready(())
    }

    fn poll_all<S>(&mut self, mut stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite,
    {
        while let Stage::Writing = self.stage {
            let head = self.head.get(self.written..).unwrap_or_default();
            let into_body = self.written.saturating_sub(self.head.len());
            let body = self.body.get(into_body..).unwrap_or_default();
            let written = match (head, body) {
                ([], []) => {
                    self.stage = Stage::Flushing;
                    break;
                }
                ([], one) | (one, []) => ready!(stream.as_mut().poll_write(cx, one))?,
                (head, body) => {
                    let both = [IoSlice::new(head), IoSlice::new(body)];
                    ready!(stream.as_mut().poll_write_vectored(cx, &both))?
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        stream.poll_flush(cx)
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// The stream took none of it, and takes none any more.
    pub(super) fn is_refused(&self) -> bool {
        self.written == 0 && matches!(self.stage, Stage::Failed)
    }

    /// Nothing is written for a while.
    pub(super) fn rest(&mut self) {
        if self.head.capacity() > KEPT {
            self.head = Vec::new();
        }
    }
}

/// Writes it in place of what is there. The length is that of the body, whatever the
/// headers say: no header of a request can make its peer see two.
fn write_head<B>(
    out: &mut Vec<u8>,
    request: &Request<B>,
    length: usize,
    host: &HeaderValue,
) -> bool {
    out.clear();
    let headers = request.headers();
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    write_target(out, request.uri());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // RFC 9110, 7.2: first.
    let host = headers.get(HOST).unwrap_or(host);
    write_field(out, b"host", host.as_bytes());
    let mut keeps = true;
    for (name, value) in headers {
        if *name == HOST || *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING {
            continue;
        }
        if *name == CONNECTION {
            let mut options = value.as_bytes().split(|byte| *byte == b',');
            keeps &= !options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
        write_field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    if length > 0 || expects_body(request.method()) {
        out.extend_from_slice(b"content-length: ");
        write_number(out, length);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    keeps
}

/// The origin form (RFC 9112, 3.2.1).
fn write_target(out: &mut Vec<u8>, uri: &Uri) {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // A query alone, behind an authority.
    if target.starts_with('?') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
}

fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_number(out: &mut Vec<u8>, number: usize) {
    let mut unit = 1;
    while number / unit > 9 {
        unit *= 10;
    }
    while unit > 0 {
        // A digit fits.
        out.push(b'0' + (number / unit % 10) as u8);
        unit /= 10;
    }
}

/// RFC 9110, 8.6: whose requests tell that they have no body.
fn expects_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT || *method == Method::PATCH
}
