//! Cuts a stream of chunks into frames, copying only what a chunk border
//! split.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::event::{self, Event};
use super::framer::Framer;

/// Longest event that is kept until its end arrives: 8 MiB, enough for an
/// image in base64.
pub const EVENT_LIMIT: usize = 8 * 1024 * 1024;

/// An event did not end within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream sent an event of more than {limit} bytes")]
pub struct EventTooLarge {
    /// The limit that was passed: bytes.
    pub limit: usize,
}

/// What a piece of the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Lines up to a blank one: an event, if it has a name or data.
    Block,
    /// A comment or a blank line outside of any block.
    Filler,
    /// The LF that completes a CR LF which a chunk border split: it shares
    /// the fate of the frame before it.
    LineFeed,
}

/// Where the bytes of a frame lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the chunk that was fed last.
    Chunk(Range<usize>),
    /// In several chunks, joined; the last one was read up to this offset.
    Carry(usize),
}

/// One piece of the stream; all of them together are all of its bytes.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// Its bytes, line ends included.
    pub bytes: &'a [u8],
    /// Where they lie.
    pub source: Source,
    first: bool,
}

impl<'a> Frame<'a> {
    /// The event in it. None when it has neither a name nor data.
    #[must_use]
    pub fn event(&self) -> Option<Event<'a>> {
        // "One leading U+FEFF BYTE ORDER MARK character must be ignored".
        let bytes = if self.first {
            event::without_bom(self.bytes)
        } else {
            self.bytes
        };
        Event::parse(bytes)
    }
}

/// An incremental reader of frames: `feed` a chunk, then take `next` until
/// there is none.
#[derive(Debug)]
pub struct Decoder {
    framer: Framer,
    chunk: Bytes,
    at: usize,
    /// The beginning of a frame that goes on, from earlier chunks.
    carry: BytesMut,
    /// The carry was handed out.
    spent: bool,
    first: bool,
    limit: usize,
}

impl Decoder {
    /// A reader that holds back at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            framer: Framer::new(),
            chunk: Bytes::new(),
            at: 0,
            carry: BytesMut::new(),
            spent: false,
            first: true,
            limit,
        }
    }

    /// Takes the next chunk; the one before must have been read to its end.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(
            self.at == self.chunk.len(),
            "frames were left in the last chunk"
        );
        self.chunk = chunk;
        self.at = 0;
    }

    /// The next whole frame; none when more bytes are needed.
    ///
    /// # Errors
    /// When a frame is longer than the limit. There is no going on then.
    #[expect(
        clippy::should_implement_trait,
        reason = "frames borrow from the decoder"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, EventTooLarge> {
        if std::mem::take(&mut self.spent) {
            self.carry.clear();
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let found = self.framer.scan(rest);
        let len = found.map_or(rest.len(), |(_, len)| len);
        if self.carry.len() + len > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        let range = self.at..self.at + len;
        self.at = range.end;
        let Some((kind, _)) = found else {
            self.carry
                .extend_from_slice(self.chunk.get(range).unwrap_or_default());
            return Ok(None);
        };
        let first = std::mem::take(&mut self.first);
        if self.carry.is_empty() {
            let bytes = self.chunk.get(range.clone()).unwrap_or_default();
            return Ok(Some(Frame {
                kind,
                bytes,
                source: Source::Chunk(range),
                first,
            }));
        }
        let source = Source::Carry(range.end);
        self.carry
            .extend_from_slice(self.chunk.get(range).unwrap_or_default());
        self.spent = true;
        Ok(Some(Frame {
            kind,
            bytes: &self.carry,
            source,
            first,
        }))
    }

    /// A part of the chunk that was fed last, without a copy.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        self.chunk.slice(range)
    }

    /// The bytes of the frame just handed out from several chunks, without a
    /// copy.
    pub fn take_carry(&mut self) -> Bytes {
        self.carry.split().freeze()
    }

    /// What was held back when the body ended: a frame without its end.
    pub fn take_rest(&mut self) -> Bytes {
        if std::mem::take(&mut self.spent) {
            self.carry.clear();
        }
        let rest = self.carry.split().freeze();
        if std::mem::take(&mut self.first) {
            let bom = rest.len() - event::without_bom(&rest).len();
            return rest.slice(bom..);
        }
        rest
    }
}
