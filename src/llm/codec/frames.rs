//! Framings of a streamed body: one reader of events for all of them.

use bytes::Bytes;

use crate::sse::{self, Event, EventTooLarge, FrameKind};
use crate::{eventstream, ndjson};

/// How a wire frames its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// AWS's binary frames.
    EventStream,
    /// Lines of JSON.
    Ndjson,
    /// Server-sent events.
    Sse,
}

/// A body that cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame whose checksums or lengths are wrong: nothing behind it can be
    /// trusted.
    #[error("the upstream sent a damaged event: {0}")]
    Damaged(&'static str),
    /// An event did not end within the limit.
    #[error(transparent)]
    TooLarge(#[from] EventTooLarge),
}

impl FrameError {
    /// A word for logs and metrics.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Damaged(_) => "damaged_event",
            Self::TooLarge(_) => "event_too_large",
        }
    }
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
    fn raw(&mut self) -> Option<Bytes> {
        None
    }

    /// What was held back when the body ended cleanly, if it is an event that only
    /// lacks its end.
    fn rest(&mut self) -> Option<Bytes>;

    /// True when the body must not end here: the bytes that are held back are no
    /// event without the missing ones.
    fn is_within(&self) -> bool {
        false
    }
}

impl Framing {
    /// The content type of a body that is framed so.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::EventStream => "application/vnd.amazon.eventstream",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }

    /// A reader that holds back at most `limit` bytes.
    pub(crate) fn reader(self, limit: usize) -> Box<dyn Frames> {
        match self {
            Self::EventStream => Box::new(eventstream::Decoder::new(limit)),
            Self::Ndjson => Box::new(ndjson::Decoder::new(limit)),
            Self::Sse => Box::new(sse::Decoder::new(limit)),
        }
    }

    /// The event in what [`Frames::rest`] gave.
    pub(crate) fn event_of_rest(self, rest: &[u8]) -> Option<Event<'_>> {
        match self {
            Self::EventStream => None,
            Self::Ndjson => ndjson::event(rest),
            Self::Sse => Event::parse(rest),
        }
    }

    /// What is missing behind it.
    pub(crate) fn missing_end(self, rest: &[u8]) -> &'static [u8] {
        match self {
            Self::EventStream => b"",
            Self::Ndjson => b"\n",
            // Behind a CR, one LF would only complete that line's end.
            Self::Sse if rest.ends_with(b"\n") => b"\n",
            Self::Sse => b"\n\n",
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
