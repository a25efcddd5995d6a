//! NDJSON, in which Ollama streams: one JSON text a line.
//!
//! Lines end with LF alone. A CR before it is white space to JSON, and U+2028 and
//! its like stand inside of strings, where some readers take them for line ends.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::codec::{FrameError, Frames, Piece};
use crate::sse::{Event, EventTooLarge};

/// An incremental reader: `feed` a chunk, then take `next` until there is none.
#[derive(Debug)]
pub struct Decoder {
    chunk: Bytes,
    /// The beginning of a line that goes on, from earlier chunks.
    carry: BytesMut,
    /// The line that was handed out last, with its end.
    line: Bytes,
    limit: usize,
}

impl Decoder {
    /// A reader of lines of at most `limit` bytes, their ends included.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            carry: BytesMut::new(),
            line: Bytes::new(),
            limit,
        }
    }

    /// Takes the next chunk; the one before must have been read to its end.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "lines were left in the last chunk");
        self.chunk = chunk;
    }

    /// The next line, without white space around it; empty for a blank one, none
    /// when more bytes are needed.
    ///
    /// # Errors
    /// When a line is longer than the limit. There is no going on then.
    #[expect(
        clippy::should_implement_trait,
        reason = "lines borrow from the decoder"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, EventTooLarge> {
        let end = memchr(b'\n', &self.chunk);
        let len = end.map_or(self.chunk.len(), |end| end + 1);
        if self.carry.len() + len > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        let part = self.chunk.split_to(len);
        if end.is_none() {
            self.carry.extend_from_slice(&part);
            return Ok(None);
        }
        self.line = if self.carry.is_empty() {
            part
        } else {
            self.carry.extend_from_slice(&part);
            self.carry.split().freeze()
        };
        Ok(Some(self.line.trim_ascii()))
    }
}

/// The event in a line; none in a blank one.
pub(crate) fn event(line: &[u8]) -> Option<Event<'_>> {
    let data = line.trim_ascii();
    (!data.is_empty()).then_some(Event {
        name: b"",
        data: Cow::Borrowed(data),
    })
}

impl Frames for Decoder {
    fn feed(&mut self, chunk: Bytes) {
        Self::feed(self, chunk);
    }

    fn next(&mut self) -> Result<Option<Piece<'_>>, FrameError> {
        let line = Self::next(self)?;
        Ok(line.map(|line| event(line).map_or(Piece::Nothing, Piece::Event)))
    }

    fn raw(&mut self) -> Option<Bytes> {
        Some(std::mem::take(&mut self.line))
    }

    fn rest(&mut self) -> Option<Bytes> {
        let rest = self.carry.split().freeze();
        Some(rest).filter(|rest| !rest.trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]], limit: usize) -> (Vec<String>, Option<EventTooLarge>) {
        let mut decoder = Decoder::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::copy_from_slice(piece));
            loop {
                match decoder.next() {
                    Ok(Some(line)) => found.push(String::from_utf8_lossy(line).into_owned()),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        let rest = Frames::rest(&mut decoder).unwrap_or_default();
        found.push(format!("rest:{}", String::from_utf8_lossy(&rest)));
        (found, None)
    }

    #[test]
    fn lines_end_with_line_feeds_and_nothing_else() {
        let body = "{\"a\":1}\r\n\n \n{\"b\":\"x\u{2028}y\u{85}z\rw\"}\n{\"c\":";
        let (found, error) = lines(&[body.as_bytes()], 100);
        let expected = [
            "{\"a\":1}",
            "",
            "",
            "{\"b\":\"x\u{2028}y\u{85}z\rw\"}",
            "rest:{\"c\":",
        ];
        assert_eq!(
            (found.as_slice(), error),
            (&expected.map(String::from)[..], None)
        );
    }

    #[test]
    fn a_line_over_the_limit_is_refused_wherever_it_is_cut() {
        let fits = lines(&[b"1234567\n"], 8);
        assert_eq!(fits.1, None);
        let long = EventTooLarge { limit: 8 };
        assert_eq!(lines(&[b"12345678\n"], 8).1, Some(long));
        assert_eq!(lines(&[b"12345678", b"\n"], 8).1, Some(long));
        assert_eq!(lines(&[b"12345678", b"9"], 8).1, Some(long));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            body in "([a-c\r\n]|\u{2028}){0,40}",
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let body = body.as_bytes();
            let mut borders: Vec<usize> = at.iter().map(|at| at.index(body.len() + 1)).collect();
            borders.extend([0, body.len()]);
            borders.sort_unstable();
            let pieces: Vec<&[u8]> =
                borders.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces, 12), lines(&[body], 12));
        }
    }
}
