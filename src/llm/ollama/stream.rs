//! The lines of a streamed answer: pieces of the message, then one with
//! `"done":true`, the reason and the counts. A line with an `error` ends it as well.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage::Counts;
use crate::json::may_hold;
use crate::progress::{Phase, Progress};
use crate::sse::Event;
use crate::stream::{End, Outcome, StreamDecoder, Verdict};
use crate::{UsageReport, classify};

static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"done\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    progress: Progress,
    usage: UsageReport,
}

/// The members of a line that matter. Raw, so that a drift in one does not hide
/// another.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    done: Option<&'a RawValue>,
}

impl Decoder {
    fn first(&mut self, data: &[u8]) -> Verdict {
        if !data.starts_with(b"{") || serde_json::from_slice::<&RawValue>(data).is_err() {
            return self.progress.no_answer("unreadable_stream");
        }
        let verdict = self.line(data);
        if self.progress.phase() == Phase::First {
            self.progress.begin();
            // The first line may be the only one.
            return self.line(data);
        }
        verdict
    }

    /// Parses a line if it can hold something of interest.
    fn line(&mut self, data: &[u8]) -> Verdict {
        if !is_done(data) && !may_hold(data, &ERROR) {
            return Verdict::Forward;
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(data) else {
            return Verdict::Forward;
        };
        if line.error.is_some() {
            return self.progress.fail(classify::in_stream(data));
        }
        if line.done.is_some_and(|done| done.get() == "true")
            && self.progress.phase() == Phase::Within
        {
            let counts = serde_json::from_slice::<Counts<'_>>(data);
            self.usage = counts.map_or(UsageReport::Unreadable, |counts| counts.report());
            self.progress.terminate();
        }
        Verdict::Forward
    }
}

/// True when `done` may be true in this line.
fn is_done(data: &[u8]) -> bool {
    DONE.find_iter(data).any(|at| {
        let rest = data.get(at + DONE.needle().len()..).unwrap_or_default();
        rest.trim_ascii_start()
            .strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data.trim_ascii();
        match self.progress.phase() {
            Phase::First => self.first(data),
            Phase::Within => self.line(data),
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
        self.usage
    }
}
