//! Framings of a streamed body: one reader of events for all of them.

use bytes::Bytes;

use crate::sse::{self, Event, EventTooLarge, FrameKind};

/// How a wire frames its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
}

/// A body that cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// An event did not end within the limit.
    #[error(transparent)]
    TooLarge(#[from] EventTooLarge),
}

/// One piece of a body.
pub(crate) enum Piece<'a> {
    /// An event; framings without names give the empty name.
    Event(Event<'a>),
    /// Nothing but a sign of life.
    KeepAlive,
    /// Nothing at all.
    Nothing,
}

/// An incremental reader: `feed` a chunk, then take `next` until there is none.
pub(crate) trait Frames: Send {
    /// Takes the next chunk; the one before must have been read to its end.
    fn feed(&mut self, chunk: Bytes);

    /// The next whole piece; none when more bytes are needed.
    fn next(&mut self) -> Result<Option<Piece<'_>>, FrameError>;

    /// The bytes of the piece that `next` gave last, as they came, where pieces can
    /// be passed on one by one. Server-sent events are passed on by `Tap` itself.
    #[expect(dead_code, reason = "framings that pass piece by piece come next")]
    fn raw(&mut self) -> Option<Bytes> {
        None
    }

    /// What was held back when the body ended cleanly, if it is an event that only
    /// lacks its end.
    fn rest(&mut self) -> Option<Bytes>;
}

impl Framing {
    /// The content type of a body that is framed so.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
        }
    }

    /// A reader that holds back at most `limit` bytes.
    pub(crate) fn reader(self, limit: usize) -> Box<dyn Frames> {
        match self {
            Self::Sse => Box::new(sse::Decoder::new(limit)),
        }
    }
}

impl Frames for sse::Decoder {
    fn feed(&mut self, chunk: Bytes) {
        Self::feed(self, chunk);
    }

    fn next(&mut self) -> Result<Option<Piece<'_>>, FrameError> {
        let Some(frame) = Self::next(self)? else {
            return Ok(None);
        };
        Ok(Some(match frame.kind {
            FrameKind::Block => frame.event().map_or(Piece::Nothing, Piece::Event),
            // A comment. Blank lines are not the same for every split.
            FrameKind::Filler if frame.bytes.starts_with(b":") => Piece::KeepAlive,
            FrameKind::Filler | FrameKind::LineFeed => Piece::Nothing,
        }))
    }

    fn rest(&mut self) -> Option<Bytes> {
        Some(self.take_rest()).filter(|rest| !rest.is_empty())
    }
}
