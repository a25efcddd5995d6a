//! The events of a streamed answer: `messageStart`, content blocks, `messageStop`
//! with the reason, `metadata` with usage.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::Counts;
use crate::eventstream::{ERROR, EXCEPTION};
use crate::progress::{Phase, Progress};
use crate::sse::Event;
use crate::stream::{End, Outcome, StreamDecoder, Verdict};
use crate::{UsageReport, classify};

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    progress: Progress,
    stopped: bool,
    counts: Option<Counts>,
    unreadable: bool,
}

/// The events that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// Something of the answer.
    Content,
    Exception(&'a str),
    Metadata,
    Start,
    Stop,
    Other,
}

impl<'a> Kind<'a> {
    fn of(name: &'a [u8]) -> Self {
        let name = std::str::from_utf8(name).unwrap_or_default();
        let exception = name.strip_prefix(EXCEPTION);
        if let Some(word) = exception.or_else(|| name.strip_prefix(ERROR)) {
            return Self::Exception(word);
        }
        match name {
            "contentBlockStart" | "contentBlockDelta" => Self::Content,
            "messageStart" | "contentBlockStop" => Self::Start,
            "messageStop" => Self::Stop,
            "metadata" => Self::Metadata,
            _ => Self::Other,
        }
    }
}

impl Decoder {
    fn first(&mut self, kind: Kind<'_>, event: &Event<'_>) -> Verdict {
        match kind {
            Kind::Content | Kind::Start | Kind::Stop => {
                if serde_json::from_slice::<IgnoredAny>(&event.data).is_err() {
                    return self.progress.no_answer("unreadable_stream");
                }
                self.progress.announce();
                self.read(kind, event)
            }
            Kind::Metadata => self.progress.no_answer("empty_stream"),
            Kind::Exception(_) | Kind::Other => self.read(kind, event),
        }
    }

    fn read(&mut self, kind: Kind<'_>, event: &Event<'_>) -> Verdict {
        match kind {
            Kind::Exception(word) => {
                return self.progress.fail(classify::named(word, &event.data));
            }
            Kind::Stop => {
                self.stopped = true;
                self.progress.finish();
            }
            Kind::Metadata => {
                self.count(&event.data);
                if self.stopped {
                    return self.progress.terminate();
                }
            }
            Kind::Content => self.progress.begin(),
            Kind::Start | Kind::Other => {}
        }
        Verdict::Forward
    }

    fn count(&mut self, data: &[u8]) {
        let Ok(metadata) = serde_json::from_slice::<Metadata<'_>>(data) else {
            self.unreadable = true;
            return;
        };
        let Some(usage) = metadata.usage else { return };
        match Counts::read(usage.get()) {
            Some(counts) => self.counts = Some(counts),
            None => self.unreadable = true,
        }
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let kind = Kind::of(event.name);
        match self.progress.phase() {
            Phase::First => self.first(kind, event),
            Phase::Within => self.read(kind, event),
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
        match &self.counts {
            None => UsageReport::Absent,
            Some(counts) if self.progress.is_complete() => UsageReport::Final(counts.normalised()),
            Some(counts) => UsageReport::Partial(counts.normalised()),
        }
    }
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}
