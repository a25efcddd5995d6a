//! Cuts a stream of chunks into frames and checks them; copies only what a chunk
//! border split.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};
use crc32fast::hash as crc32;

use super::headers::Headers;
use super::{ERROR, EXCEPTION, PRELUDE, TRAILER};
use crate::codec::{FrameError, Frames, Piece};
use crate::json;
use crate::sse::{Event, EventTooLarge};

/// An incremental reader: `feed` a chunk, then take `next` until there is none.
///
/// # Guarantees
/// - No event of a frame whose checksums do not agree.
/// - A frame that is longer than the limit is refused by its first bytes.
#[derive(Debug)]
pub struct Decoder {
    chunk: Bytes,
    /// The beginning of a frame that goes on, from earlier chunks.
    carry: BytesMut,
    /// The frame that was handed out last.
    frame: Bytes,
    /// Its name, with what it is in front of it.
    name: String,
    limit: usize,
}

/// The lengths at the beginning of a frame.
#[derive(Clone, Copy)]
struct Prelude {
    total: usize,
    headers: usize,
}

impl Decoder {
    /// A reader of frames of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            carry: BytesMut::new(),
            frame: Bytes::new(),
            name: String::new(),
            limit,
        }
    }

    /// Takes the next chunk; the one before must have been read to its end.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "frames were left in the last chunk");
        self.chunk = chunk;
    }

    /// The next event; none when more bytes are needed. Exceptions have names that
    /// begin with `exception:` or, where the service does not model them, `error:`.
    ///
    /// # Errors
    /// When a frame is damaged, or longer than the limit. There is no going on then.
    #[expect(
        clippy::should_implement_trait,
        reason = "events borrow from the decoder"
    )]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, FrameError> {
        let Some(prelude) = self.prelude()? else {
            return Ok(None);
        };
        if !self.take(prelude.total) {
            return Ok(None);
        }
        self.check()?;
        self.read(prelude).map(Some)
    }

    /// True when the body must not end here.
    #[must_use]
    pub fn is_within(&self) -> bool {
        !self.carry.is_empty()
    }

    fn prelude(&mut self) -> Result<Option<Prelude>, FrameError> {
        let first = if self.carry.is_empty() {
            self.chunk.first_chunk::<PRELUDE>().copied()
        } else {
            self.gather(PRELUDE);
            self.carry.first_chunk::<PRELUDE>().copied()
        };
        let Some(mut first) = first.as_ref().map(|first| &first[..]) else {
            self.gather(PRELUDE);
            return Ok(None);
        };
        let sum = crc32(first.get(..8).unwrap_or_default());
        let (total, headers) = (first.get_u32(), first.get_u32());
        if sum != first.get_u32() {
            return Err(FrameError::Damaged("its lengths fail their checksum"));
        }
        let (total, headers) = (total as usize, headers as usize);
        if total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER {
            return Err(FrameError::Damaged("its lengths contradict each other"));
        }
        if total > self.limit {
            return Err(EventTooLarge { limit: self.limit }.into());
        }
        Ok(Some(Prelude { total, headers }))
    }

    /// Carries on with what the chunk has, up to this many bytes.
    fn gather(&mut self, wanted: usize) {
        let more = wanted.saturating_sub(self.carry.len());
        let more = self.chunk.split_to(more.min(self.chunk.len()));
        self.carry.extend_from_slice(&more);
    }

    /// The whole frame; false when more bytes are needed.
    fn take(&mut self, total: usize) -> bool {
        if self.carry.is_empty() && self.chunk.len() >= total {
            self.frame = self.chunk.split_to(total);
            return true;
        }
        self.gather(total);
        let whole = self.carry.len() == total;
        if whole {
            self.frame = self.carry.split().freeze();
        }
        whole
    }

    fn check(&self) -> Result<(), FrameError> {
        let damaged = FrameError::Damaged("it fails its checksum");
        let (covered, sum) = self.frame.split_last_chunk::<TRAILER>().ok_or(damaged)?;
        if crc32(covered) == u32::from_be_bytes(*sum) {
            Ok(())
        } else {
            Err(damaged)
        }
    }

    fn read(&mut self, prelude: Prelude) -> Result<Event<'_>, FrameError> {
        let payload_at = PRELUDE + prelude.headers;
        let headers = self.frame.get(PRELUDE..payload_at).unwrap_or_default();
        let headers = Headers::read(headers)?;
        let payload_end = prelude.total - TRAILER;
        let payload = self.frame.get(payload_at..payload_end).unwrap_or_default();
        self.name.clear();
        let mut data = Cow::Borrowed(payload);
        match headers.message_type {
            "event" => self.name.push_str(headers.event_type),
            "exception" => {
                self.name.push_str(EXCEPTION);
                self.name.push_str(headers.exception_type);
            }
            "error" => {
                self.name.push_str(ERROR);
                self.name.push_str(headers.error_code);
                let message = json::to_line(&headers.error_message);
                data = Cow::Owned(format!("{{\"message\":{message}}}").into_bytes());
            }
            _ => return Err(FrameError::Damaged("it does not say what it is")),
        }
        let name = self.name.as_bytes();
        Ok(Event { name, data })
    }
}

impl Frames for Decoder {
    fn feed(&mut self, chunk: Bytes) {
        Self::feed(self, chunk);
    }

    fn next(&mut self) -> Result<Option<Piece<'_>>, FrameError> {
        Ok(Self::next(self)?.map(Piece::Event))
    }

    fn raw(&mut self) -> Option<Bytes> {
        Some(std::mem::take(&mut self.frame))
    }

    fn rest(&mut self) -> Option<Bytes> {
        None
    }

    fn is_within(&self) -> bool {
        Self::is_within(self)
    }
}
