//! The framing of a body in chunks (RFC 9112, 7.1).
//!
//! Lines end in CRLF and nothing else: a reader that takes less for an end sees another
//! message than the next one does.

use bytes::{Buf, Bytes, BytesMut};

use super::Error;
use super::head::{MAX_HEADERS, may_end};

/// A chunk that is moved to the one before it is no longer.
const SMALL: usize = 4 * 1024;

/// A chunk's extensions, which mean nothing to us, are no longer.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// All trailers are no longer. They are read, and left.
const MAX_TRAILERS: usize = 16 * 1024;

/// Where in the framing the next byte is.
#[derive(Debug)]
pub(super) struct Chunked {
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// The framing is wrong; said when everything before that was taken.
    Bad(Wrong),
    /// In so many bytes of data.
    Data(u64),
    /// Behind the data.
    DataEnd,
    /// Behind the CR that ends the data.
    DataLf,
    /// Behind the trailers.
    End,
    /// In the extensions, so far into them.
    Extensions { size: u64, read: usize },
    /// In the digits of the size; none yet.
    Size(Option<u64>),
    /// In blanks behind the digits.
    SizeBlanks(u64),
    /// Behind the CR that ends the line of the size.
    SizeLf(u64),
    /// Behind the last chunk; in so many bytes the end was not seen.
    Trailers(usize),
}

#[derive(Clone, Copy, Debug)]
enum Wrong {
    Chunk(&'static str),
    Head(httparse::Error),
    TooLarge,
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Chunk(what) => Self::Chunk(what),
            Wrong::Head(error) => Self::Head(error),
            Wrong::TooLarge => Self::TooLarge,
        }
    }
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { at: At::Size(None) }
    }

    /// Data as it has come; not all of a chunk, if that is not there. Small chunks that
    /// came together are moved together: a piece costs more on its way than a copy.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        self.look_ahead(buf);
        let (mut read, mut data) = (0, 0);
        while let At::Data(left) = self.at {
            let came = buf.len() - read;
            let here = usize::try_from(left).map_or(came, |left| left.min(came));
            if here == 0 || data > 0 && here > SMALL {
                break;
            }
            if read > data {
                buf.copy_within(read..read + here, data);
            }
            read += here;
            data += here;
            self.at = match left - here as u64 {
                0 => At::DataEnd,
                left => At::Data(left),
            };
            read += self.at.read(buf.get(read..).unwrap_or_default());
        }
        if data == 0 {
            return match self.at {
                At::Bad(wrong) => Err(wrong.into()),
                _ => Ok(None),
            };
        }
        let piece = buf.split_to(data).freeze();
        buf.advance(read - data);
        self.look_ahead(buf);
        Ok(Some(piece))
    }

    /// Reads up to the next data, or the end.
    pub(super) fn look_ahead(&mut self, buf: &mut BytesMut) {
        let read = self.at.read(buf);
        buf.advance(read);
        if let At::Trailers(seen) = self.at {
            self.at = trailers(buf, seen);
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.at, At::End)
    }
}

impl At {
    /// Reads what frames the data up to the next of it; how long that was.
    fn read(&mut self, buf: &[u8]) -> usize {
        let framing = buf.iter().take_while(|byte| match self.step(**byte) {
            Some(next) => {
                *self = next;
                true
            }
            None => false,
        });
        framing.count()
    }

    /// Where the next byte is behind this one; None when this one is not read here.
    fn step(self, byte: u8) -> Option<Self> {
        let wrong = |what| Self::Bad(Wrong::Chunk(what));
        Some(match (self, byte) {
            (Self::Size(so_far), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                match longer(so_far.unwrap_or(0), byte) {
                    Some(size) => Self::Size(Some(size)),
                    None => wrong("the size overflows"),
                }
            }
            (Self::Size(None), _) => wrong("no size"),
            (Self::Size(Some(size)) | Self::SizeBlanks(size), b' ' | b'\t') => {
                Self::SizeBlanks(size)
            }
            (Self::Size(Some(size)) | Self::SizeBlanks(size), b';') => {
                Self::Extensions { size, read: 0 }
            }
            (
                Self::Size(Some(size)) | Self::SizeBlanks(size) | Self::Extensions { size, .. },
                b'\r',
            ) => Self::SizeLf(size),
            (Self::Size(_) | Self::SizeBlanks(_), _) => wrong("not a size"),
            (Self::Extensions { .. }, b'\n') => wrong("a line of its extensions ends in LF"),
            (Self::Extensions { size, read }, _) if read < MAX_EXTENSIONS => {
                let read = read + 1;
                Self::Extensions { size, read }
            }
            (Self::Extensions { .. }, _) => wrong("too many extensions"),
            (Self::SizeLf(0), b'\n') => Self::Trailers(0),
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size(None),
            (Self::SizeLf(_) | Self::DataEnd | Self::DataLf, _) => wrong("no line end"),
            (Self::Bad(_) | Self::Data(_) | Self::End | Self::Trailers(_), _) => return None,
        })
    }
}

/// The number with one more digit.
fn longer(so_far: u64, digit: u8) -> Option<u64> {
    let digit = match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    };
    so_far.checked_mul(16)?.checked_add(u64::from(digit))
}

/// Reads the trailers and the empty line behind them. In the first `seen` bytes they do
/// not end.
fn trailers(buf: &mut BytesMut, seen: usize) -> At {
    match **buf {
        [b'\r', b'\n', ..] => {
            buf.advance(2);
            return At::End;
        }
        [] | [b'\r'] => return At::Trailers(0),
        [b'\n', ..] => return At::Bad(Wrong::Chunk("it ends in LF")),
        _ => {}
    }
    let partial = |len| match len {
        0..=MAX_TRAILERS => At::Trailers(len),
        _ => At::Bad(Wrong::TooLarge),
    };
    if !may_end(buf, seen) {
        return partial(buf.len());
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    match httparse::parse_headers(buf, &mut fields) {
        Ok(httparse::Status::Partial) => partial(buf.len()),
        Ok(httparse::Status::Complete((len, _))) if len > MAX_TRAILERS => At::Bad(Wrong::TooLarge),
        Ok(httparse::Status::Complete((len, _))) => {
            let lines = buf.split_to(len);
            let mut line_ends = lines.split_inclusive(|byte| *byte == b'\n');
            match line_ends.all(|line| line.ends_with(b"\r\n")) {
                true => At::End,
                false => At::Bad(Wrong::Chunk("a line of its trailers ends in LF")),
            }
        }
        Err(error) => At::Bad(Wrong::Head(error)),
    }
}
