//! What the supervisor in an agent's Pod says of its program. The operator reads
//! it on the status port, and in the container's termination message.

use serde::{Deserialize, Serialize};

/// The container port of a supervised agent's status server.
///
/// None that a program of the same Pod is likely to want.
pub const STATUS_PORT: u16 = 9092;

/// Answer of `GET /status`: how far the program is.
///
/// It never holds the goal, arguments or the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// How far the program is.
    pub phase: RunPhase,
    /// Its exit code, once it ended; 128 and the signal's number when a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When it ended, as RFC 3339 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Why it failed, where the exit code does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How far a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunPhase {
    /// It runs.
    Running,
    /// It ended with exit code 0.
    Succeeded,
    /// It ended otherwise, or could not be started.
    Failed,
}

impl RunReport {
    /// The program runs.
    #[must_use]
    pub fn running() -> Self {
        Self {
            phase: RunPhase::Running,
            exit_code: None,
            signal: None,
            finished_at: None,
            message: None,
        }
    }

    /// True once the program ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase != RunPhase::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_is_written() {
        let text =
            r#"{"phase":"Failed","exitCode":143,"signal":15,"finishedAt":"2026-01-01T00:00:00Z"}"#;
        let report: RunReport = serde_json::from_str(text).unwrap();
        assert!(report.is_over());
        assert_eq!(serde_json::to_string(&report).unwrap(), text);
        assert_eq!(
            serde_json::to_string(&RunReport::running()).unwrap(),
            r#"{"phase":"Running"}"#
        );
    }
}
