//! What goes wrong with an answer.

use std::io;

/// Why there is no answer, or not all of it. Texts carry nothing of what came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not the framing of chunks (RFC 9112, 7.1).
    #[error("invalid chunk: {0}")]
    Chunk(&'static str),
    /// The peer closed the connection before the head of the answer was whole.
    #[error("connection closed before message completed")]
    Closed,
    /// Several lengths that differ, or none of a number's form (RFC 9112, 6.3).
    #[error("invalid content-length header")]
    ContentLength,
    /// The peer closed the connection before the body of the answer was whole.
    #[error("end of file before message length reached")]
    Cut,
    /// Not the form of a head.
    #[error(transparent)]
    Head(#[from] httparse::Error),
    /// More interim answers than anybody sends.
    #[error("too many interim answers")]
    Interim,
    /// The stream.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream took nothing of the request, and takes nothing any more.
    #[error("connection closed before the request was sent")]
    Refused,
    /// The head, or the trailers, are longer than anybody's.
    #[error("message head is too large")]
    TooLarge,
    /// Not chunked and nothing else, or of a version that has none of it.
    #[error("unexpected transfer-encoding header")]
    TransferEncoding,
    /// There was something to read where nothing had been asked.
    #[error("received unexpected message from connection")]
    Unasked,
    /// The answer is of a protocol that nobody asked for.
    #[error("unexpected upgrade of the connection")]
    Upgrade,
}
