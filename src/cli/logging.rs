//! Where log lines go: standard error, as text for people, as JSON in Pods.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Environment variable with the filter, as `tracing_subscriber` reads it.
const FILTER: &str = "AGENTKUBE_LOG";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

/// Installs the subscriber. `default` is the filter when `AGENTKUBE_LOG` is not
/// set or cannot be read.
pub(crate) fn install(format: Format, default: &str) {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second subscriber in one process (tests) keeps the first.
    let _ = match format {
        Format::Text => lines.with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}
