//! The events of a streamed answer: parts of it, and no terminator.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::object::Text;
use crate::progress::{Phase, Progress};
use crate::sse::Event;
use crate::stream::{End, Outcome, StreamDecoder, Verdict};
use crate::{UsageReport, classify};

/// Reads one streamed answer.
#[derive(Debug)]
pub(super) struct Decoder {
    progress: Progress,
    usage: UsageReport,
    candidates: u32,
    /// Which candidates have their finish reason: one bit each.
    finished: u128,
}

/// The members of an event that matter. Raw, so that a drift in one does not hide
/// another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_feedback: Option<&'a RawValue>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Text<'a>>,
}

impl Decoder {
    /// `candidates` is how many were asked for.
    pub(super) fn new(candidates: u32) -> Self {
        Self {
            progress: Progress::default(),
            usage: UsageReport::Absent,
            candidates: candidates.max(1),
            finished: 0,
        }
    }

    fn chunk(&mut self, data: &[u8]) -> Verdict {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            if self.progress.phase() == Phase::First {
                return self.progress.no_answer("unreadable_stream");
            }
            return Verdict::Forward;
        };
        if chunk.error.is_some() {
            return self.progress.fail(classify::in_stream(data));
        }
        // Counts alone only announce an answer.
        if chunk.candidates.is_some() || chunk.prompt_feedback.is_some() {
            self.progress.begin();
        } else {
            self.progress.announce();
        }
        if let Some(counts) = chunk.usage_metadata {
            self.usage =
                usage::read(counts.get()).map_or(UsageReport::Unreadable, UsageReport::Partial);
        }
        if let Some(raw) = chunk.candidates
            && let Ok(candidates) = serde_json::from_str::<Vec<Candidate<'_>>>(raw.get())
        {
            for candidate in candidates {
                if candidate.finish_reason.is_some() {
                    self.finished |= 1_u128.checked_shl(candidate.index).unwrap_or(0);
                }
            }
        }
        let feedback = chunk.prompt_feedback;
        let feedback =
            feedback.and_then(|raw| serde_json::from_str::<Feedback<'_>>(raw.get()).ok());
        let blocked = feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        if blocked || self.finished.count_ones() >= self.candidates {
            self.progress.finish();
        }
        Verdict::Forward
    }
}

impl StreamDecoder for Decoder {
    fn event(&mut self, event: &Event<'_>) -> Verdict {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Verdict::Forward;
        }
        match self.progress.phase() {
            Phase::First | Phase::Within => self.chunk(data),
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
