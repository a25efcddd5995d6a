//! Watches a stream pass by, from a provider to a client of the same dialect.
//!
//! Whole events are forwarded as the bytes they came in; the beginning of an
//! event is held back until the rest arrives. No client can use half an
//! event, and so an error event can always follow what was sent, whenever the
//! upstream breaks.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use crate::codec::{self, FrameError, Frames, Framing, Piece, Watch};
use crate::progress::Phase;
use crate::served::Served;
use crate::sse::{Decoder, EVENT_LIMIT, FrameKind, Source};
use crate::stream::{End, Head, Outcome, StreamDecoder, Verdict};
use crate::{ApiError, Dialect, ErrorKind, Failure, FailureKind, UsageReport};

/// What a tap must know of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapOptions {
    /// Hide the chunk that only brings usage (`Rewritten::hide_usage`).
    pub hide_usage: bool,
    /// How many choices were asked for (`Peeked::choices`).
    pub choices: u32,
    /// Longest event that is held back, and most of an answer that its translation
    /// keeps: bytes.
    pub event_limit: usize,
}

impl Default for TapOptions {
    fn default() -> Self {
        Self {
            hide_usage: false,
            choices: 1,
            event_limit: EVENT_LIMIT,
        }
    }
}

/// Watches one streamed answer (in the dialect's framing, no content encoding).
///
/// ```
/// use agentkube_llm::{Dialect, End, Head, Outcome, Tap, TapOptions};
/// use bytes::Bytes;
///
/// let mut tap = Tap::new(Dialect::OpenAiChat, TapOptions::default());
/// let chunk = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\nda");
/// tap.feed(chunk)?;                        // for each chunk of the upstream
/// assert_eq!(tap.head(), Head::Answer);    // until it is no longer awaited: may fail over
/// let first = tap.pop();                   // what may go to the client now
/// assert!(first.is_some_and(|events| events.ends_with(b"}\n\n")));
/// assert_eq!(tap.finish(End::Cut), Outcome::Truncated);
/// let last = tap.pop();                    // the in-band error
/// assert!(last.is_some_and(|event| event.starts_with(b"data: {\"error\":")));
/// # Ok::<(), agentkube_llm::FrameError>(())
/// ```
pub struct Tap {
    dialect: Dialect,
    framing: Framing,
    frames: Reader,
    stream: Box<dyn StreamDecoder>,
    out: VecDeque<Bytes>,
    last: Verdict,
    served: Option<Served>,
    /// What comes stands behind the end and cannot be read: it does not matter.
    deaf: bool,
    broken: Option<Failure>,
    outcome: Option<Outcome>,
}

/// Server-sent events pass as slices of the chunks they came in, many at once;
/// the pieces of other framings one by one.
enum Reader {
    Pieces(Box<dyn Frames>),
    Sse(Decoder),
}

impl Tap {
    /// A tap on an answer in this dialect.
    #[must_use]
    pub fn new(dialect: Dialect, options: TapOptions) -> Self {
        let provider = codec::provider(dialect);
        let framing = provider.framing();
        let stream = provider.watcher(Watch {
            choices: options.choices,
            hide_usage: options.hide_usage,
        });
        Self {
            dialect,
            framing,
            frames: if framing == Framing::Sse {
                Reader::Sse(Decoder::new(options.event_limit))
            } else {
                Reader::Pieces(framing.reader(options.event_limit))
            },
            stream,
            out: VecDeque::new(),
            last: Verdict::Forward,
            served: None,
            deaf: false,
            broken: None,
            outcome: None,
        }
    }

    /// Answers name the model so.
    #[must_use]
    pub fn serving(mut self, served: Served) -> Self {
        self.served = Some(served);
        self
    }

    /// Takes the next chunk of the upstream's body. Ignored after `finish` or
    /// an error.
    ///
    /// # Errors
    /// When the body cannot be read on. The stream has then failed: an error event
    /// is there to be popped, and the upstream should be dropped.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FrameError> {
        if self.deaf || self.broken.is_some() || self.outcome.is_some() {
            return Ok(());
        }
        let result = match &mut self.frames {
            Reader::Pieces(frames) => {
                frames.feed(chunk);
                let served = self.served.as_ref();
                pass(&mut **frames, &mut *self.stream, served, &mut self.out)
            }
            Reader::Sse(frames) => {
                frames.feed(chunk);
                let mut passing = Passing {
                    frames,
                    stream: &mut *self.stream,
                    out: &mut self.out,
                    last: &mut self.last,
                    served: self.served.as_ref(),
                    comments: if self.dialect == Dialect::Gemini {
                        Verdict::Hide
                    } else {
                        Verdict::Forward
                    },
                };
                passing.pass()
            }
        };
        if let Err(error) = result {
            if matches!(self.stream.progress().phase(), Phase::Over(_)) {
                self.deaf = true;
                return Ok(());
            }
            let failure = Failure::new(FailureKind::ServerError, error.code());
            let told = ApiError::new(ErrorKind::BadUpstream, error.to_string());
            self.out.push_back(told.stream_event(self.dialect));
            self.broken = Some(failure);
            return Err(error);
        }
        Ok(())
    }

    /// The next bytes for the client, in order; none when all was taken.
    pub fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// What the head of the stream is. While it is awaited, or when it is a
    /// failure, nothing has to be sent and another upstream may be tried.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        match (&self.broken, self.stream.progress().head()) {
            (Some(failure), Head::Awaited) => Head::Failed(failure),
            (_, head) => head,
        }
    }

    /// What is known of the usage, at any time: also when the client left.
    #[must_use]
    pub fn usage(&self) -> UsageReport {
        self.stream.usage()
    }

    /// True when the dialect's terminator was seen: nothing of interest
    /// follows.
    #[must_use]
    pub fn terminated(&self) -> bool {
        self.stream.progress().is_terminated()
    }

    /// Takes the end of the upstream's body. What the client still has to be
    /// told is popped afterwards: nothing after a complete stream or a
    /// failure that it already saw, the terminator when only that was
    /// missing, an error event when the answer is not complete.
    pub fn finish(&mut self, end: End) -> Outcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let outcome = match &self.broken {
            Some(failure) => Outcome::Failed(failure.clone()),
            None => self.close(end),
        };
        self.outcome = Some(outcome.clone());
        outcome
    }

    fn close(&mut self, end: End) -> Outcome {
        let end = self.drain_rest(end);
        let terminated = self.stream.progress().is_terminated();
        let outcome = self.stream.end(end);
        match outcome {
            Outcome::Finished if !terminated => {
                self.out.extend(codec::provider(self.dialect).terminator());
            }
            Outcome::Finished | Outcome::Failed(_) => {}
            Outcome::Truncated => self
                .out
                .push_back(end.truncated().stream_event(self.dialect)),
        }
        outcome
    }

    /// Looks at what was held back when the body ended. The standard drops an
    /// event without its blank line; where the body ended cleanly and the
    /// event is whole otherwise, the blank line is all that is missing.
    fn drain_rest(&mut self, end: End) -> End {
        let rest = match &mut self.frames {
            Reader::Pieces(frames) if end == End::Clean && frames.is_within() => return End::Cut,
            Reader::Pieces(frames) => frames.rest(),
            Reader::Sse(frames) => Frames::rest(frames),
        };
        let Some(rest) = rest.filter(|_| end == End::Clean) else {
            return end;
        };
        let Some(event) = self.framing.event_of_rest(&rest) else {
            return end;
        };
        let whole = event.data.as_ref() == b"[DONE]"
            || serde_json::from_slice::<serde::de::IgnoredAny>(&event.data).is_ok();
        if !whole || self.stream.event(&event) == Verdict::Hide {
            return end;
        }
        let missing = self.framing.missing_end(&rest);
        let respelt = match (&self.served, self.framing) {
            (Some(served), Framing::Sse) => served.block(&rest, &event),
            (Some(served), _) => Some(served.line(rest.clone())),
            (None, _) => None,
        };
        self.out.push_back(respelt.unwrap_or(rest));
        self.out.push_back(Bytes::from_static(missing));
        end
    }
}

/// Hands all whole pieces to the stream decoder and forwards them.
fn pass(
    frames: &mut dyn Frames,
    stream: &mut dyn StreamDecoder,
    served: Option<&Served>,
    out: &mut VecDeque<Bytes>,
) -> Result<(), FrameError> {
    while let Some(piece) = frames.next()? {
        let verdict = match piece {
            Piece::Event(event) => stream.event(&event),
            Piece::KeepAlive | Piece::Nothing => Verdict::Forward,
        };
        if verdict == Verdict::Forward {
            let raw = frames.raw();
            out.extend(match served {
                Some(served) => raw.map(|raw| served.line(raw)),
                None => raw,
            });
        }
    }
    Ok(())
}

/// One chunk of server-sent events on its way.
struct Passing<'a> {
    frames: &'a mut Decoder,
    stream: &'a mut dyn StreamDecoder,
    out: &'a mut VecDeque<Bytes>,
    last: &'a mut Verdict,
    served: Option<&'a Served>,
    /// What happens to signs of life: Gemini's SDK cannot read them.
    comments: Verdict,
}

impl Passing<'_> {
    /// Hands all whole frames of the chunk to the stream decoder and forwards them.
    fn pass(&mut self) -> Result<(), FrameError> {
        let mut pending = 0..0;
        let result = self.pump(&mut pending);
        self.flush(pending);
        result
    }

    /// `pending` is the part of the chunk that may be forwarded and was not yet.
    fn pump(&mut self, pending: &mut Range<usize>) -> Result<(), FrameError> {
        while let Some(frame) = self.frames.next()? {
            let mut respelt = None;
            let verdict = match frame.kind {
                FrameKind::Filler => self.comments,
                FrameKind::LineFeed => *self.last,
                FrameKind::Block => match frame.event() {
                    Some(event) => {
                        let served = self.served;
                        respelt = served.and_then(|served| served.block(frame.bytes, &event));
                        self.stream.event(&event)
                    }
                    None => Verdict::Forward,
                },
            };
            *self.last = verdict;
            let source = frame.source;
            match (verdict, source) {
                (Verdict::Forward, source) if respelt.is_some() => {
                    let end = match source {
                        Source::Chunk(range) => range.end,
                        Source::Carry(end) => end,
                    };
                    let done = std::mem::replace(pending, end..end);
                    self.flush(done);
                    self.out.extend(respelt);
                }
                (Verdict::Forward, Source::Chunk(range)) if pending.end == range.start => {
                    pending.end = range.end;
                }
                (Verdict::Forward, Source::Chunk(range)) => {
                    let done = std::mem::replace(pending, range);
                    self.flush(done);
                }
                (Verdict::Forward, Source::Carry(len)) => {
                    let carry = self.frames.take_carry();
                    self.out.push_back(carry);
                    *pending = len..len;
                }
                (Verdict::Hide, Source::Chunk(_) | Source::Carry(_)) => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.out.push_back(self.frames.slice(range));
        }
    }
}

#[cfg(test)]
mod tests;
