//! What every decoder of a streamed answer promises.

use crate::error::{ApiError, ErrorKind};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::sse::Event;
use crate::usage::UsageReport;

/// How the upstream's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As HTTP says it should: last chunk, content length reached.
    Clean,
    /// The connection broke.
    Cut,
    /// We gave up: nothing came for longer than the idle timeout.
    Stalled,
}

impl End {
    /// What the client is told when the answer was not complete by then.
    #[must_use]
    pub(crate) fn truncated(self) -> ApiError {
        let message = match self {
            Self::Clean => "the upstream ended the stream before the answer was complete",
            Self::Cut => "the connection to the upstream broke before the answer was complete",
            Self::Stalled => "the upstream stopped sending before the answer was complete",
        };
        ApiError::new(ErrorKind::BadUpstream, message).code("stream_truncated")
    }
}

/// What the head of a stream is. Keep-alive comments, pings and what only
/// announces an answer (a role, `message_start`) decide nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// It has not come yet.
    Awaited,
    /// Content of an answer, or why it ended without any.
    Answer,
    /// An error, or nothing that could be an answer: another upstream may
    /// still be tried.
    Failed(&'a Failure),
}

/// How a stream ended. Exactly one of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is complete.
    Finished,
    /// The provider said in the stream that it failed.
    Failed(Failure),
    /// It ended without saying that it was complete.
    Truncated,
}

/// What happens to an event on its way to a client of the same dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes, byte by byte.
    Forward,
    /// The client did not ask for it, or must not believe it.
    Hide,
}

/// Reads the events of one streamed answer.
///
/// # Guarantees
/// - `end` gives the same outcome however often it is called.
/// - After a failure, no terminator passes.
pub(crate) trait StreamDecoder: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event<'_>) -> Verdict;

    /// Takes the end of the body, and says how the stream ended.
    fn end(&mut self, end: End) -> Outcome;

    /// How far the answer has come.
    fn progress(&self) -> &Progress;

    /// What is known of the usage.
    fn usage(&self) -> UsageReport;
}
