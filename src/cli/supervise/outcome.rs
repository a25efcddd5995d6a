//! How a program ended.

use std::io;

use agentkube_plan::{RunPhase, RunReport};
use jiff::Timestamp;
use rustix::process::WaitStatus;

/// The end of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    exit_code: i32,
    signal: Option<i32>,
    message: Option<String>,
    at: Timestamp,
}

impl Outcome {
    /// From what `wait` says; none while the program only stopped or continued.
    pub(super) fn of(status: WaitStatus, at: Timestamp) -> Option<Self> {
        let signal = status.terminating_signal();
        let exit_code = status.exit_status().or(signal.map(|signal| 128 + signal))?;
        Some(Self {
            exit_code,
            signal,
            message: None,
            at,
        })
    }

    /// The program could not be started.
    pub(super) fn not_started(exit_code: i32, why: &str) -> Self {
        Self {
            exit_code,
            signal: None,
            message: Some(format!("the program could not be started: {why}")),
            at: Timestamp::now(),
        }
    }

    /// The container ended while the program ran; what became of it is not known.
    pub(super) fn lost() -> Self {
        let why = "the container was started again while the program ran (it may have run out \
                   of memory); the program is not run a second time";
        Self {
            exit_code: 137,
            signal: Some(9),
            message: Some(why.to_owned()),
            at: Timestamp::now(),
        }
    }

    /// What an earlier process in this Pod reported.
    pub(super) fn reported(report: RunReport) -> Self {
        let at = report.finished_at.and_then(|at| at.parse().ok());
        Self {
            exit_code: report.exit_code.unwrap_or(1),
            signal: report.signal,
            message: report.message,
            at: at.unwrap_or_else(Timestamp::now),
        }
    }

    /// What is told.
    pub(super) fn report(&self) -> RunReport {
        // Whole seconds, as Kubernetes writes times.
        let at = Timestamp::from_second(self.at.as_second()).unwrap_or(self.at);
        RunReport {
            phase: match self.exit_code {
                0 => RunPhase::Succeeded,
                _ => RunPhase::Failed,
            },
            exit_code: Some(self.exit_code),
            signal: self.signal,
            finished_at: Some(at.to_string()),
            message: self.message.clone(),
        }
    }

    /// One line for the log.
    pub(super) fn line(&self) -> String {
        match (&self.message, self.signal) {
            (Some(message), _) => format!("agentkube: {message}"),
            (None, Some(signal)) => format!("agentkube: the program was ended by signal {signal}"),
            (None, None) => format!(
                "agentkube: the program ended with exit code {}",
                self.exit_code
            ),
        }
    }

    /// As the exit code of a process.
    pub(super) fn code(&self) -> u8 {
        u8::try_from(self.exit_code).unwrap_or(1)
    }
}

/// Why a program was not started; 127 and 126 say what they say in a shell.
impl From<&io::Error> for Outcome {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::not_started(127, "it was not found"),
            io::ErrorKind::PermissionDenied => Self::not_started(126, "it is not executable"),
            _ => Self::not_started(126, &error.to_string()),
        }
    }
}
