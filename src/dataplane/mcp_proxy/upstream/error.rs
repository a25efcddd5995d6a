//! Why an upstream gave no usable answer.

use std::time::Duration;

use agentkube_mcp::list::NotAList;
use agentkube_mcp::{Kind, MAX_DEPTH, Message, error};
use agentkube_plan::SecretEntry;
use http::StatusCode;

use crate::shown::{MOST, shown};
use crate::upstream::{NoToken, SendError};

/// Texts name hosts, statuses and limits, never what was sent or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::mcp_proxy) enum UpstreamError {
    /// There is nothing to be reached.
    #[error("{0}")]
    Absent(String),
    /// Its Secret cannot be read.
    #[error("{0} is missing")]
    MissingSecret(SecretEntry),
    /// Its Secret holds bytes that no header can carry.
    #[error("{0} cannot be sent in a header")]
    UnusableSecret(SecretEntry),
    /// The token endpoint gives none.
    #[error("no token from {url} with {secret}: {reason}")]
    NoToken {
        /// The endpoint, without its query.
        url: String,
        /// Where the client secret lies.
        secret: SecretEntry,
        /// Why.
        reason: NoToken,
    },
    /// The breaker is open.
    #[error("left alone after repeated failures, for another {}s", .0.as_secs_f64().ceil())]
    LeftAlone(Duration),
    /// No head of an answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Nothing came for this long.
    #[error("nothing came for {}ms", .0.as_millis())]
    Idle(Duration),
    /// Others are not kept waiting for its list any longer.
    #[error("its list is not complete after {}s", .0.as_secs())]
    Slow(Duration),
    /// The call took longer than it may.
    #[error("no answer within {}ms", .0.as_millis())]
    Total(Duration),
    /// It does not accept what we know about ourselves.
    #[error("refuses our credentials with {0}")]
    Refused(StatusCode),
    /// A status that is not part of the protocol.
    #[error("answers {0}")]
    Status(StatusCode),
    /// A method that it does not know, said in its own way.
    #[error("does not know the method")]
    UnknownMethod,
    /// A program that is not there, in our own shim's words.
    #[error("{0}")]
    Program(String),
    /// It forgot the session.
    #[error("does not keep its session")]
    SessionLost,
    /// It no longer speaks the era that it spoke.
    #[error("changed its protocol revision")]
    EraChanged,
    /// More bytes than a message may have.
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Not MCP.
    #[error("its answer is no MCP message: {0}")]
    Garbled(String),
    /// The stream ended without the answer.
    #[error("closed the stream before it answered")]
    Cut,
    /// It answered one of our own questions with an error.
    #[error("answers {method} with error {code}")]
    Rpc {
        /// What we asked.
        method: &'static str,
        /// The code.
        code: i64,
    },
    /// It does not speak a revision that we know.
    #[error("speaks no protocol revision that is known here")]
    UnknownVersion,
    /// The stream that it was asked for is none.
    #[error("opens no event stream whose first event is its endpoint")]
    NoStream,
    /// It wants messages posted somewhere else.
    #[error("its endpoint event names another origin")]
    OtherOrigin,
    /// Its sessions are streams, and these are all that may be open.
    #[error("all {0} sessions with it are in use")]
    ManyStreams(usize),
    /// It asks, and does not take the answers.
    #[error("asks without taking the answers: {0} are on their way")]
    AsksTooMuch(usize),
    /// An id that a session has in use.
    #[error("is at work on a request with this id")]
    SameId,
    /// A list without end.
    #[error("{0} does not end: {1}")]
    Endless(&'static str, &'static str),
    /// A list that is none.
    #[error(transparent)]
    List(#[from] NotAList),
}

impl UpstreamError {
    /// Why our shim has no program to speak to.
    pub(super) fn of_shim(status: StatusCode, body: &[u8]) -> Self {
        let message = Message::decode(body, MAX_DEPTH).ok();
        let text = match message.as_ref().map(Message::kind) {
            Some(Kind::Error { error, .. }) => error::text_of(error),
            _ => None,
        };
        text.map_or(Self::Status(status), |text| {
            Self::Program(shown(&text, MOST).into_owned())
        })
    }

    /// True when the upstream itself is in trouble, so that the breaker counts
    /// it. An upstream that answers, be it with an error or for ever, is not.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Send(_) | Self::Idle(_) | Self::Cut | Self::Program(_) => true,
            Self::Status(status) => status.is_server_error(),
            _ => false,
        }
    }

    /// True when the failure is one of the upstream and not of one call.
    pub(super) fn condemns(&self) -> bool {
        self.is_outage()
            || matches!(
                self,
                Self::EraChanged
                    | Self::NoToken { .. }
                    | Self::Refused(_)
                    | Self::SessionLost
                    | Self::UnknownVersion
            )
    }

    /// True when the era and the session may be others by the time it is back.
    pub(super) fn forgets(&self) -> bool {
        matches!(self, Self::Send(SendError::Connect(_)) | Self::EraChanged)
    }
}

#[cfg(test)]
mod tests {
    use agentkube_mcp::{ErrorObject, message};

    use super::*;

    #[test]
    fn what_stands_in_for_a_program_says_one_line_of_bounded_length() {
        let text = format!("no\n\u{1b}[2J{}", "x".repeat(10_000));
        let error = ErrorObject::new(error::INTERNAL_ERROR, text);
        let body = message::failure(None, &error);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let said = UpstreamError::of_shim(status, body.as_bytes()).to_string();
        assert!(said.starts_with(r"no\n\u{1b}[2Jxxx"), "{said}");
        assert!(said.len() < 300);
    }
}
