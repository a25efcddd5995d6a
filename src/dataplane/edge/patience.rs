//! Connections that hold a slot and do nothing with it.
//!
//! hyper times the head of a request, but not what comes before it is known to be
//! one (the version is still open), and not a client that stops reading: its
//! answer would stand still, and hold a permit and the upstream's connection,
//! for as long as the client likes.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// With so many bytes the version is known: the length of the preface of HTTP/2
/// (RFC 9113, 3.4), and fewer than any request of HTTP/1.1 with a host has.
const VERSION_KNOWN: usize = 24;

/// A connection that fails when its peer sends no beginning, or takes nothing of
/// what is there for it, for too long.
pub(super) struct Patient<I> {
    io: I,
    begin: Wait,
    read: usize,
    write: Wait,
}

/// A timer that exists only while something is awaited.
struct Wait {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<I> Patient<I> {
    /// Waits for the beginning for `begin`, and so long for each write.
    pub(super) fn new(io: I, begin: Duration, write: Duration) -> Self {
        Self {
            io,
            begin: Wait::new(begin),
            read: 0,
            write: Wait::new(write),
        }
    }
}

impl Wait {
    fn new(limit: Duration) -> Self {
        Self { limit, sleep: None }
    }

    /// Keeps the time of what is pending; the first of several waits counts.
    fn bound<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.sleep = None;
            return poll;
        }
        let limit = self.limit;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        sleep.as_mut().poll(cx).map(|()| {
            let late = "the peer neither sends nor reads";
            Err(io::Error::new(io::ErrorKind::TimedOut, late))
        })
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.io).poll_read(cx, buf);
        if this.read >= VERSION_KNOWN {
            return poll;
        }
        this.read += buf.filled().len() - before;
        if this.read >= VERSION_KNOWN {
            this.begin.sleep = None;
            return poll;
        }
        match poll {
            // A byte now and then is no beginning: the time goes on.
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.begin.bound(cx, Poll::Pending),
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.write.bound(cx, poll)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_flush(cx);
        // Flushing a socket does nothing: no sign that the peer reads.
        match poll {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.write.bound(cx, Poll::Pending),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.write.bound(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BEGIN: Duration = Duration::from_secs(75);
    const WRITE: Duration = Duration::from_secs(120);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_begins_ends() {
        for begun in [&b""[..], b"PRI * HT"] {
            let (mut peer, io) = duplex(64);
            peer.write_all(begun).await.unwrap();
            let since = Instant::now();
            let mut server = Patient::new(io, BEGIN, WRITE);
            let error = server.read_exact(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(since.elapsed().as_secs(), BEGIN.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_beginning_in_drops_does_not_gain_time() {
        let (mut peer, io) = duplex(64);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(10)).await;
                if peer.write_all(b"x").await.is_err() {
                    return;
                }
            }
        });
        let since = Instant::now();
        let mut server = Patient::new(io, BEGIN, WRITE);
        let error = server.read_exact(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(since.elapsed().as_secs(), BEGIN.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_began_may_be_quiet() {
        let (mut peer, io) = duplex(64);
        peer.write_all(&[b'x'; VERSION_KNOWN]).await.unwrap();
        let mut server = Patient::new(io, BEGIN, WRITE);
        server.read_exact(&mut [0; VERSION_KNOWN]).await.unwrap();
        let quiet = tokio::time::timeout(BEGIN * 3, server.read_u8()).await;
        assert!(quiet.is_err(), "nothing ended it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_given_up() {
        let (_peer, io) = duplex(64);
        let since = Instant::now();
        let mut server = Patient::new(io, BEGIN, WRITE);
        let error = server.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(since.elapsed().as_secs(), WRITE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_not() {
        let (mut peer, io) = duplex(64);
        let read = tokio::spawn(async move {
            let mut left = 640;
            while left > 0 {
                tokio::time::sleep(WRITE - Duration::from_secs(1)).await;
                peer.read_exact(&mut [0; 64]).await.unwrap();
                left -= 64;
            }
        });
        let mut server = Patient::new(io, BEGIN, WRITE);
        server.write_all(&[0; 640]).await.unwrap();
        read.await.unwrap();
    }
}
