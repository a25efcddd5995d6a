//! How far a streamed answer has come: the states that all dialects share.

use crate::stream::{End, Head, Outcome, Verdict};
use crate::{Failure, FailureKind};

/// The state of one answer. Each moves only forward.
#[derive(Debug, Default)]
pub(crate) enum Progress {
    #[default]
    AwaitFirst,
    /// An answer was announced; nothing was said in it yet.
    AwaitContent,
    AwaitFinish,
    /// The answer said why it ended; the dialect's terminator is missing.
    AwaitTerminator,
    Terminated,
    /// Ended without the terminator, complete nevertheless.
    Closed,
    Truncated,
    /// What came first, if anything, was no answer.
    NoAnswer(Failure),
    Failed {
        failure: Failure,
        /// Before any content.
        at_head: bool,
    },
}

/// What the next event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    First,
    Within,
    /// The stream is over: events behind its end are treated so.
    Over(Verdict),
}

impl Progress {
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::AwaitFirst => Phase::First,
            Self::AwaitContent | Self::AwaitFinish | Self::AwaitTerminator => Phase::Within,
            Self::Terminated | Self::Closed | Self::Truncated => Phase::Over(Verdict::Forward),
            // vLLM sends `[DONE]` after an error as well.
            Self::NoAnswer(_) | Self::Failed { .. } => Phase::Over(Verdict::Hide),
        }
    }

    /// The first event says that an answer follows, and nothing of it: overloaded
    /// providers fail behind it, and another upstream may still serve.
    pub(crate) fn announce(&mut self) {
        if matches!(self, Self::AwaitFirst) {
            *self = Self::AwaitContent;
        }
    }

    /// The first content came.
    pub(crate) fn begin(&mut self) {
        if self.is_speechless() {
            *self = Self::AwaitFinish;
        }
    }

    /// True while no content came.
    pub(crate) fn is_speechless(&self) -> bool {
        matches!(self, Self::AwaitFirst | Self::AwaitContent)
    }

    /// The answer said why it ended; it may be empty then.
    pub(crate) fn finish(&mut self) {
        if matches!(self, Self::AwaitContent | Self::AwaitFinish) {
            *self = Self::AwaitTerminator;
        }
    }

    /// The terminator came. Where neither content nor a reason did, there was no
    /// answer.
    pub(crate) fn terminate(&mut self) -> Verdict {
        if matches!(self, Self::AwaitContent) {
            return self.no_answer("empty_stream");
        }
        if self.phase() == Phase::Within {
            *self = Self::Terminated;
        }
        Verdict::Forward
    }

    /// The provider says that it failed. The client reads its own words.
    pub(crate) fn fail(&mut self, failure: Failure) -> Verdict {
        let at_head = self.is_speechless();
        *self = Self::Failed { failure, at_head };
        Verdict::Forward
    }

    /// There will be no answer in this stream.
    pub(crate) fn no_answer(&mut self, code: &str) -> Verdict {
        *self = Self::NoAnswer(Failure::new(FailureKind::ServerError, code));
        Verdict::Hide
    }

    /// The body ended.
    pub(crate) fn end(&mut self, end: End) -> Outcome {
        match (&self, end) {
            (Self::AwaitFirst | Self::AwaitContent, _) => {
                self.no_answer("empty_stream");
            }
            (Self::AwaitTerminator, End::Clean) => *self = Self::Closed,
            (Self::AwaitFinish | Self::AwaitTerminator, _) => *self = Self::Truncated,
            (
                Self::Terminated
                | Self::Closed
                | Self::Truncated
                | Self::NoAnswer(_)
                | Self::Failed { .. },
                _,
            ) => {}
        }
        match self {
            Self::Terminated | Self::Closed => Outcome::Finished,
            Self::Failed { failure, .. } => Outcome::Failed(failure.clone()),
            Self::AwaitFirst
            | Self::AwaitContent
            | Self::AwaitFinish
            | Self::AwaitTerminator
            | Self::Truncated
            | Self::NoAnswer(_) => Outcome::Truncated,
        }
    }

    pub(crate) fn head(&self) -> Head<'_> {
        match self {
            Self::AwaitFirst | Self::AwaitContent => Head::Awaited,
            Self::NoAnswer(failure)
            | Self::Failed {
                failure,
                at_head: true,
            } => Head::Failed(failure),
            Self::AwaitFinish
            | Self::AwaitTerminator
            | Self::Terminated
            | Self::Closed
            | Self::Truncated
            | Self::Failed { at_head: false, .. } => Head::Answer,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        matches!(self, Self::Terminated)
    }

    /// True when the whole answer was seen.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self, Self::Terminated | Self::Closed)
    }
}
