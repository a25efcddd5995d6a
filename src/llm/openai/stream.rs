//! The events of a streamed chat completion: chunks, then `[DONE]`.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{delta, usage};
use crate::UsageReport;
use crate::classify;
use crate::json::may_hold;
use crate::progress::{Phase, Progress};
use crate::sse::{self, Event};
use crate::stream::{End, Outcome, StreamDecoder, Verdict};

static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));

/// `data: [DONE]`.
pub(crate) fn terminator() -> Bytes {
    sse::event(None, "[DONE]")
}

/// Reads one streamed chat completion.
#[derive(Debug)]
pub(crate) struct Decoder {
    progress: Progress,
    usage: UsageReport,
    hide_usage: bool,
    choices: u32,
    /// Which choices have their finish reason: one bit each.
    finished: u128,
}

impl Decoder {
    /// `choices` is how many were asked for (`n`).
    pub(crate) fn new(choices: u32, hide_usage: bool) -> Self {
        Self {
            progress: Progress::default(),
            usage: UsageReport::Absent,
            hide_usage,
            choices: choices.max(1),
            finished: 0,
        }
    }

    fn first(&mut self, event: &Event<'_>, data: &[u8]) -> Verdict {
        if data == b"[DONE]" {
            return self.progress.no_answer("empty_stream");
        }
        let verdict = self.chunk(event, data);
        if self.progress.phase() != Phase::First {
            return verdict;
        }
        if !is_object(data) {
            return self.progress.no_answer("unreadable_stream");
        }
        self.progress.announce();
        self.listen(data);
        self.settle();
        verdict
    }

    /// Looks for the first content: chunks with no more than a role are none.
    fn listen(&mut self, data: &[u8]) {
        if self.progress.is_speechless() && delta::says_something(data) {
            self.progress.begin();
        }
    }

    /// Parses a chunk if it can hold something of interest.
    fn chunk(&mut self, event: &Event<'_>, data: &[u8]) -> Verdict {
        if event.name == b"error" {
            return self.progress.fail(classify::in_stream(data));
        }
        let has_usage = may_hold(data, &USAGE);
        if !has_usage && !may_hold(data, &FINISH) && ERROR.find(data).is_none() {
            return Verdict::Forward;
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            if has_usage && self.usage == UsageReport::Absent {
                self.usage = UsageReport::Unreadable;
            }
            return Verdict::Forward;
        };
        if chunk.is_failure() {
            return self.progress.fail(classify::in_stream(data));
        }
        let choices = chunk.choices();
        for choice in choices
            .iter()
            .flatten()
            .filter(|it| it.finish_reason.is_some())
        {
            self.finished |= 1_u128.checked_shl(choice.index).unwrap_or(0);
        }
        self.settle();
        let Some(counts) = chunk.usage else {
            return Verdict::Forward;
        };
        self.usage = match usage::read(counts.get()) {
            Some(usage) => UsageReport::Partial(usage),
            None => UsageReport::Unreadable,
        };
        let only_usage = choices.is_some_and(|choices| choices.is_empty());
        if self.hide_usage && only_usage {
            Verdict::Hide
        } else {
            Verdict::Forward
        }
    }

    fn settle(&mut self) {
        if self.finished.count_ones() >= self.choices {
            self.progress.finish();
        }
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Verdict::Forward;
        }
        match self.progress.phase() {
            Phase::First => self.first(event, data),
            Phase::Within if data == b"[DONE]" => self.progress.terminate(),
            Phase::Within => {
                self.listen(data);
                self.chunk(event, data)
            }
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
        match self.usage.counts() {
            Some(usage) if self.progress.is_complete() => UsageReport::Final(usage),
            _ => self.usage,
        }
    }
}

/// The members of a chunk that matter. Raw, so that a drift in one does not
/// hide another.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

impl Chunk<'_> {
    /// `{"error":…}`, or vLLM's older `{"object":"error",…}`.
    fn is_failure(&self) -> bool {
        self.error.is_some()
            || self
                .object
                .is_some_and(|object| object.get() == "\"error\"")
    }

    /// None when they are not in the documented shape.
    fn choices(&self) -> Option<Vec<Choice<'_>>> {
        serde_json::from_str(self.choices?.get()).ok()
    }
}

fn is_object(data: &[u8]) -> bool {
    data.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
}
