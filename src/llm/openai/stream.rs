//! The events of a streamed chat completion: chunks, then `[DONE]`.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::classify;
use crate::json::may_hold;
use crate::sse::{self, Event};
use crate::stream::{End, Head, Outcome, StreamDecoder, Verdict};
use crate::{Failure, FailureKind, UsageReport};

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
    state: State,
    usage: UsageReport,
    hide_usage: bool,
    choices: u32,
    /// Which choices have their finish reason: one bit each.
    finished: u128,
}

#[derive(Debug)]
enum State {
    AwaitFirst,
    AwaitFinish,
    /// Every choice that was asked for has its finish reason.
    AwaitDone,
    Done,
    /// Ended without `[DONE]`, complete nevertheless.
    Closed,
    Truncated,
    /// What came first, if anything, was no answer.
    NoAnswer(Failure),
    Failed {
        failure: Failure,
        /// By the first event already.
        at_head: bool,
    },
}

impl Decoder {
    /// `choices` is how many were asked for (`n`).
    pub(crate) fn new(choices: u32, hide_usage: bool) -> Self {
        let choices = choices.max(1);
        let usage = UsageReport::Absent;
        Self {
            state: State::AwaitFirst,
            usage,
            hide_usage,
            choices,
            finished: 0,
        }
    }

    fn first(&mut self, event: &Event<'_>, data: &[u8]) -> Verdict {
        if data == b"[DONE]" {
            return self.no_answer("empty_stream");
        }
        let verdict = self.chunk(event, data);
        if !matches!(self.state, State::AwaitFirst) {
            return verdict;
        }
        if !is_object(data) {
            return self.no_answer("unreadable_stream");
        }
        self.state = State::AwaitFinish;
        self.settle();
        verdict
    }

    fn no_answer(&mut self, code: &str) -> Verdict {
        self.state = State::NoAnswer(Failure::new(FailureKind::ServerError, code));
        Verdict::Hide
    }

    /// Parses a chunk if it can hold something of interest.
    fn chunk(&mut self, event: &Event<'_>, data: &[u8]) -> Verdict {
        if event.name == b"error" {
            return self.fail(classify::in_stream(data));
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
            return self.fail(classify::in_stream(data));
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
        let enough = self.finished.count_ones() >= self.choices;
        if enough && matches!(self.state, State::AwaitFinish) {
            self.state = State::AwaitDone;
        }
    }

    /// The provider says that it failed. The client reads its own words.
    fn fail(&mut self, failure: Failure) -> Verdict {
        let at_head = matches!(self.state, State::AwaitFirst);
        self.state = State::Failed { failure, at_head };
        Verdict::Forward
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Verdict::Forward;
        }
        match &self.state {
            State::AwaitFirst => self.first(event, data),
            State::AwaitFinish | State::AwaitDone if data == b"[DONE]" => {
                self.state = State::Done;
                Verdict::Forward
            }
            State::AwaitFinish | State::AwaitDone => self.chunk(event, data),
            State::Done | State::Closed | State::Truncated => Verdict::Forward,
            // vLLM sends `[DONE]` after an error as well.
            State::Failed { .. } | State::NoAnswer(_) => Verdict::Hide,
        }
    }

    fn end(&mut self, end: End) -> Outcome {
        match (&self.state, end) {
            (State::AwaitFirst, _) => {
                self.no_answer("empty_stream");
            }
            (State::AwaitDone, End::Clean) => self.state = State::Closed,
            (State::AwaitFinish | State::AwaitDone, _) => self.state = State::Truncated,
            _ => {}
        }
        match &self.state {
            State::Done | State::Closed => Outcome::Finished,
            State::Failed { failure, .. } => Outcome::Failed(failure.clone()),
            _ => Outcome::Truncated,
        }
    }

    fn head(&self) -> Head<'_> {
        match &self.state {
            State::AwaitFirst => Head::Awaited,
            State::NoAnswer(failure)
            | State::Failed {
                failure,
                at_head: true,
            } => Head::Failed(failure),
            _ => Head::Answer,
        }
    }

    fn terminated(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn usage(&self) -> UsageReport {
        match (&self.state, self.usage) {
            (State::Done | State::Closed, UsageReport::Partial(usage)) => UsageReport::Final(usage),
            (_, usage) => usage,
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

#[cfg(test)]
mod tests;
