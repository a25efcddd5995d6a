//! Watches a stream pass by, from a provider to a client of another dialect.
//!
//! The watcher of the provider's wire decides how the stream ends and what it
//! cost, as it does for `Tap`; a reader and a writer turn what it lets pass into
//! the client's events.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Context, Translator};
use crate::codec::{
    self, EventReader, EventWriter, FrameError, Frames, Framing, Piece, ToolNames, Watch,
};
use crate::custody::Custodian;
use crate::ir::{BlockStart, Event};
use crate::progress::Phase;
use crate::sse;
use crate::stream::{End, Head, Outcome, StreamDecoder, Verdict};
use crate::{ApiError, Dialect, ErrorKind, Failure, FailureKind, TapOptions, UsageReport};

/// Translates one streamed answer. The surface is that of `Tap`.
///
/// # Guarantees
/// - Any split of the upstream's bytes gives the same bytes to the client.
/// - A stream that was not complete ends in an error event, never in the
///   terminator of the client's dialect.
/// - What cannot be read or written makes the stream fail; it is never passed over.
pub struct TranslatingTap {
    client: Dialect,
    framing: Framing,
    frames: Box<dyn Frames>,
    watcher: Box<dyn StreamDecoder>,
    reader: Box<dyn EventReader>,
    custodian: Custodian,
    tools: ToolNames,
    writer: Box<dyn EventWriter>,
    /// What these may keep of the answer together: bytes.
    limit: usize,
    /// Events of one frame; scratch.
    events: Vec<Event>,
    out: VecDeque<Bytes>,
    /// The terminator was written, or an error event.
    closed: bool,
    /// What comes stands behind the end and cannot be read: it does not matter.
    deaf: bool,
    broken: Option<Failure>,
    outcome: Option<Outcome>,
}

impl TranslatingTap {
    pub(super) fn new(translator: Translator, context: &Context, options: TapOptions) -> Self {
        let client = codec::client(translator.client);
        let provider = codec::provider(translator.provider);
        Self {
            client: translator.client,
            framing: provider.framing(),
            frames: provider.framing().reader(options.event_limit),
            watcher: provider.watcher(Watch {
                choices: context.reply.choices,
                hide_usage: false,
            }),
            reader: provider.reader(&context.reply.id),
            custodian: Custodian::new(context.seal.clone(), client.replays()),
            tools: context.tools.clone(),
            writer: client.writer(&context.reply),
            limit: options.event_limit,
            events: Vec::new(),
            out: VecDeque::new(),
            closed: false,
            deaf: false,
            broken: None,
            outcome: None,
        }
    }

    /// Takes the next chunk of the upstream's body. Ignored after `finish` or an
    /// error.
    ///
    /// # Errors
    /// When the body cannot be read on. The stream has then failed: an error event
    /// is there to be popped, and the upstream should be dropped.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FrameError> {
        if self.deaf || self.broken.is_some() || self.outcome.is_some() {
            return Ok(());
        }
        self.frames.feed(chunk);
        let mut written = Vec::new();
        let result = self.pump(&mut written);
        self.flush(written);
        if let Err(error) = result {
            if matches!(self.watcher.progress().phase(), Phase::Over(_)) {
                self.deaf = true;
                return Ok(());
            }
            self.break_off(error.code(), &error.to_string());
            return Err(error);
        }
        Ok(())
    }

    /// The next bytes for the client, in order; none when all was taken.
    pub fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// What the first event was. While it is awaited, or when it is a failure,
    /// nothing has to be sent and another upstream may be tried.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        match (&self.broken, self.watcher.progress().head()) {
            (Some(failure), Head::Awaited) => Head::Failed(failure),
            (_, head) => head,
        }
    }

    /// What is known of the usage, at any time: also when the client left.
    #[must_use]
    pub fn usage(&self) -> UsageReport {
        self.watcher.usage()
    }

    /// True when the provider's terminator was seen: nothing of interest follows.
    #[must_use]
    pub fn terminated(&self) -> bool {
        self.watcher.progress().is_terminated()
    }

    /// True when it was given up.
    #[cfg(test)]
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Takes the end of the upstream's body. What the client still has to be told
    /// is popped afterwards.
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
        let mut written = Vec::new();
        if let Some(rest) = self.frames.rest()
            && end == End::Clean
            && let Some(event) = self.framing.event_of_rest(&rest)
            && is_whole(&event)
        {
            self.event(&event, &mut written);
        }
        self.flush(written);
        if let Some(failure) = &self.broken {
            return Outcome::Failed(failure.clone());
        }
        let within = end == End::Clean && self.frames.is_within();
        let end = if within { End::Cut } else { end };
        let outcome = self.watcher.end(end);
        match &outcome {
            Outcome::Finished => self.terminate(),
            Outcome::Failed(failure) => self.tell(&failure.to_error()),
            Outcome::Truncated => self.tell(&end.truncated()),
        }
        outcome
    }

    fn pump(&mut self, written: &mut Vec<u8>) -> Result<(), FrameError> {
        // Taken out, so that events may borrow from it.
        let mut frames = std::mem::replace(&mut self.frames, Box::new(NoFrames));
        let mut result = Ok(());
        loop {
            match frames.next() {
                Ok(None) => break,
                Ok(Some(Piece::Event(event))) => self.event(&event, written),
                Ok(Some(Piece::Nothing)) => {}
                Ok(Some(Piece::KeepAlive)) => self.write(Event::Ping, written),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            if self.broken.is_some() {
                break;
            }
        }
        self.frames = frames;
        result
    }

    /// One event of the provider.
    fn event(&mut self, event: &sse::Event<'_>, written: &mut Vec<u8>) {
        if self.closed || matches!(self.watcher.progress().phase(), Phase::Over(_)) {
            return;
        }
        if self.watcher.event(event) == Verdict::Hide {
            return;
        }
        match self.watcher.progress().phase() {
            Phase::First => self.prelude(event, written),
            Phase::Within => self.read(event, written),
            Phase::Over(_) if self.terminated() => {
                // Some wires say in their last event why the answer ended.
                self.read(event, written);
                self.flush(std::mem::take(written));
                self.terminate();
            }
            Phase::Over(_) => {
                self.flush(std::mem::take(written));
                if let Outcome::Failed(failure) = self.watcher.end(End::Clean) {
                    self.tell(&failure.to_error());
                }
            }
        }
    }

    /// What comes before an answer: its announcement, pings, empty data.
    fn prelude(&mut self, event: &sse::Event<'_>, written: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        if self.reader.read(event, &mut events).is_err() || events.is_empty() {
            events.clear();
            events.push(Event::Ping);
        }
        for event in events.drain(..) {
            self.write(event, written);
        }
        self.events = events;
        self.bound(written);
    }

    fn read(&mut self, event: &sse::Event<'_>, written: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        let read = self.reader.read(event, &mut events);
        for event in events.drain(..) {
            self.write(event, written);
        }
        self.events = events;
        if read.is_err() {
            self.flush(std::mem::take(written));
            self.break_off(
                "unreadable_event",
                "the upstream sent an event that cannot be read",
            );
            return;
        }
        self.bound(written);
    }

    /// An answer without an end has one here.
    fn bound(&mut self, written: &mut Vec<u8>) {
        let held = self.reader.held() + self.custodian.held() + self.writer.held();
        if held > self.limit && self.broken.is_none() && !self.closed {
            self.flush(std::mem::take(written));
            self.break_off(
                "answer_too_large",
                "the upstream's answer grew beyond what the gateway keeps of one",
            );
        }
    }

    fn write(&mut self, mut event: Event, written: &mut Vec<u8>) {
        if self.closed || self.broken.is_some() {
            return;
        }
        if let Event::Begin {
            start: BlockStart::ToolCall { name, .. },
            ..
        } = &mut event
        {
            self.tools.restore(name);
        }
        self.custodian.watch(&mut event);
        let usage = self.watcher.usage();
        if self.writer.event(event, usage, written).is_err() {
            self.flush(std::mem::take(written));
            self.break_off(
                "unwritable_event",
                "the upstream's answer cannot be put in order",
            );
        }
    }

    fn terminate(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            let mut written = Vec::new();
            self.writer.finish(self.watcher.usage(), &mut written);
            self.flush(written);
        }
    }

    fn break_off(&mut self, code: &str, message: &str) {
        self.broken = Some(Failure::new(FailureKind::ServerError, code));
        self.tell(&ApiError::new(ErrorKind::BadUpstream, message));
    }

    fn tell(&mut self, error: &ApiError) {
        if !std::mem::replace(&mut self.closed, true) {
            let told = self.writer.fail(error, self.watcher.usage());
            let told = told.unwrap_or_else(|| error.stream_event(self.client));
            self.out.push_back(told);
        }
    }

    fn flush(&mut self, written: Vec<u8>) {
        if !written.is_empty() {
            self.out.push_back(Bytes::from(written));
        }
    }
}

/// Stands in for the frames while they are read.
struct NoFrames;

impl Frames for NoFrames {
    fn feed(&mut self, _chunk: Bytes) {}

    fn next(&mut self) -> Result<Option<Piece<'_>>, FrameError> {
        Ok(None)
    }

    fn rest(&mut self) -> Option<Bytes> {
        None
    }
}

fn is_whole(event: &sse::Event<'_>) -> bool {
    event.data.as_ref() == b"[DONE]"
        || serde_json::from_slice::<serde::de::IgnoredAny>(&event.data).is_ok()
}
