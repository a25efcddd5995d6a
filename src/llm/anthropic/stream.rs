//! The events of a streamed message: `message_start`, content blocks,
//! `message_delta` with the stop reason, `message_stop`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage::Counts;
use crate::UsageReport;
use crate::classify;
use crate::progress::{Phase, Progress};
use crate::sse::{self, Event};
use crate::stream::{End, Outcome, StreamDecoder, Verdict};

/// `message_stop`.
pub(crate) fn terminator() -> Bytes {
    sse::event(Some("message_stop"), "{\"type\":\"message_stop\"}")
}

/// Reads one streamed message.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    progress: Progress,
    counts: Option<Counts>,
    /// `message_delta` brought counts: they are those of the whole answer.
    counted: bool,
    unreadable: bool,
}

/// The events that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block,
    Content,
    Start,
    Delta,
    Stop,
    Ping,
    Error,
    Other,
}

impl Kind {
    /// By its name; by the `type` of the data where a server sends no names.
    fn of(event: &Event<'_>) -> Self {
        if !event.name.is_empty() {
            return Self::named(event.name);
        }
        match serde_json::from_slice::<Tag<'_>>(&event.data) {
            Ok(tag) => Self::named(tag.r#type.as_bytes()),
            Err(_) => Self::Other,
        }
    }

    fn named(name: &[u8]) -> Self {
        match name {
            b"content_block_delta" => Self::Content,
            b"content_block_start" => Self::Block,
            b"message_start" => Self::Start,
            b"message_delta" => Self::Delta,
            b"message_stop" => Self::Stop,
            b"ping" => Self::Ping,
            b"error" => Self::Error,
            _ => Self::Other,
        }
    }
}

impl Decoder {
    fn first(&mut self, kind: Kind, event: &Event<'_>) -> Verdict {
        match kind {
            Kind::Stop => self.progress.no_answer("empty_stream"),
            Kind::Block | Kind::Content | Kind::Start | Kind::Delta | Kind::Other => {
                if serde_json::from_slice::<Tag<'_>>(&event.data).is_err() {
                    return self.progress.no_answer("unreadable_stream");
                }
                self.progress.announce();
                self.read(kind, event)
            }
            Kind::Ping | Kind::Error => self.read(kind, event),
        }
    }

    fn read(&mut self, kind: Kind, event: &Event<'_>) -> Verdict {
        match kind {
            Kind::Start => self.start(&event.data),
            Kind::Delta => self.delta(&event.data),
            Kind::Content => self.progress.begin(),
            Kind::Block if self.progress.is_speechless() => self.block(&event.data),
            Kind::Stop => return self.progress.terminate(),
            Kind::Error => return self.progress.fail(classify::in_stream(&event.data)),
            Kind::Block | Kind::Ping | Kind::Other => {}
        }
        Verdict::Forward
    }

    fn start(&mut self, data: &[u8]) {
        match serde_json::from_slice::<Start<'_>>(data) {
            Ok(start) => self.count(start.message.usage),
            Err(_) => self.unreadable = true,
        }
    }

    /// A text that begins says nothing yet. A thought does: where it is not shown,
    /// nothing follows until it ends.
    fn block(&mut self, data: &[u8]) {
        let begun = serde_json::from_slice::<Begun<'_>>(data);
        if !begun.is_ok_and(|begun| begun.content_block.r#type == "text") {
            self.progress.begin();
        }
    }

    fn delta(&mut self, data: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Delta<'_>>(data) else {
            self.unreadable = true;
            return;
        };
        if message.usage.is_some() {
            self.counted = true;
        }
        self.count(message.usage);
        if message
            .delta
            .is_some_and(|delta| delta.stop_reason.is_some())
        {
            self.progress.finish();
        }
    }

    fn count(&mut self, usage: Option<&RawValue>) {
        let Some(usage) = usage else { return };
        match Counts::read(usage.get()) {
            Some(counts) => self.counts.get_or_insert_default().update(&counts),
            None => self.unreadable = true,
        }
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        match self.progress.phase() {
            Phase::First => self.first(Kind::of(event), event),
            Phase::Within => self.read(Kind::of(event), event),
            Phase::Over(verdict) => verdict,
        }
    }

    fn end(&mut self, end: End) -> Outcome {
        self.progress.end(end)
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn usage(&self) -> UsageReport {
        if self.unreadable {
            return UsageReport::Unreadable;
        }
        let Some(counts) = &self.counts else {
            return UsageReport::Absent;
        };
        if self.counted && self.progress.is_complete() {
            UsageReport::Final(counts.normalised())
        } else {
            UsageReport::Partial(counts.normalised())
        }
    }
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Begun<'a> {
    #[serde(borrow)]
    content_block: Tag<'a>,
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    delta: Option<Stop<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Stop<'a> {
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}
