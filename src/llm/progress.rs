//! How far a streamed answer has come: the states that all dialects share.

use crate::stream::{End, Head, Outcome, Verdict};
use crate::{Failure, FailureKind};

/// The state of one answer. Each moves only forward.
#[derive(Debug, Default)]
pub(crate) enum Progress {
    #[default]
    AwaitFirst,
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
        /// By the first event already.
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
            Self::AwaitFinish | Self::AwaitTerminator => Phase::Within,
            Self::Terminated | Self::Closed | Self::Truncated => Phase::Over(Verdict::Forward),
            // vLLM sends `[DONE]` after an error as well.
            Self::NoAnswer(_) | Self::Failed { .. } => Phase::Over(Verdict::Hide),
        }
    }

    /// The first event is the beginning of an answer.
    pub(crate) fn begin(&mut self) {
        if matches!(self, Self::AwaitFirst) {
            *self = Self::AwaitFinish;
        }
    }

    /// The answer said why it ended.
    pub(crate) fn finish(&mut self) {
        if matches!(self, Self::AwaitFinish) {
            *self = Self::AwaitTerminator;
        }
    }

    /// The terminator came.
    pub(crate) fn terminate(&mut self) {
        if self.phase() == Phase::Within {
            *self = Self::Terminated;
        }
    }

    /// The provider says that it failed. The client reads its own words.
    pub(crate) fn fail(&mut self, failure: Failure) -> Verdict {
        let at_head = matches!(self, Self::AwaitFirst);
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
            (Self::AwaitFirst, _) => {
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
            | Self::AwaitFinish
            | Self::AwaitTerminator
            | Self::Truncated
            | Self::NoAnswer(_) => Outcome::Truncated,
        }
    }

    pub(crate) fn head(&self) -> Head<'_> {
        match self {
            Self::AwaitFirst => Head::Awaited,
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
