//! What becomes of Ollama's streams.

use super::*;
use crate::{FailureKind, fixtures};

fn seen(name: &str, end: End) -> Seen {
    let body = fixtures::read(&format!("ollama/{name}.ndjson"));
    watch(Dialect::OllamaChat, TapOptions::default(), &[&body], end)
}

#[test]
fn a_done_line_ends_an_answer_and_its_counts_are_final() {
    for name in ["text", "odd_framing", "one_line", "no_done_reason"] {
        let seen = seen(name, End::Clean);
        assert_eq!(seen.outcome, Outcome::Finished, "{name}");
        assert_eq!(seen.usage, UsageReport::Final(usage(26, 12)), "{name}");
        assert!(seen.appended.is_empty(), "{name}");
    }
    // Behind it nothing matters.
    assert_eq!(seen("text", End::Cut).outcome, Outcome::Finished);
}

#[test]
fn what_nobody_counted_is_absent_and_what_drifted_is_unreadable() {
    let uncounted = seen("prompt_not_counted", End::Clean);
    assert_eq!(uncounted.usage, UsageReport::Absent);
    let drifted = seen("drifted_usage", End::Clean);
    assert_eq!(drifted.usage, UsageReport::Unreadable);
    assert_eq!(drifted.outcome, Outcome::Finished);
}

#[test]
fn a_stream_without_its_done_line_is_truncated_and_told_so() {
    for name in ["cut", "cut_between_lines"] {
        for end in [End::Clean, End::Cut, End::Stalled] {
            let seen = seen(name, end);
            assert_eq!(seen.outcome, Outcome::Truncated, "{name}");
            assert!(seen.appended.starts_with(b"{\"error\":\"the "), "{name}");
            assert!(seen.appended.ends_with(b"\"}\n"), "{name}");
            assert!(seen.forwarded.ends_with(b"\"done\":false}\n"), "{name}");
        }
    }
}

#[test]
fn a_done_line_that_lacks_its_line_feed_gets_one() {
    let whole = seen("no_line_end", End::Clean);
    assert_eq!(whole.outcome, Outcome::Finished);
    assert!(whole.appended.ends_with(b"}\n"));
    assert_eq!(seen("no_line_end", End::Cut).outcome, Outcome::Truncated);
}

#[test]
fn an_error_line_is_a_failure_and_nothing_passes_behind_it() {
    let Outcome::Failed(failure) = seen("error_then_done", End::Clean).outcome else {
        panic!("not failed");
    };
    assert_eq!(failure.kind, FailureKind::ServerError);
    let told = seen("error_then_done", End::Clean);
    assert!(memchr::memmem::find(&told.all(), b"\"done\":true").is_none());
    assert!(told.answered, "too late for another upstream");
    let first = seen("error_first", End::Clean);
    assert!(first.head_failed.is_some(), "another may be tried");
    let garbage = seen("garbage", End::Clean);
    assert!(garbage.head_failed.is_some() && garbage.forwarded.is_empty());
}

#[test]
fn done_in_the_arguments_of_a_tool_ends_nothing() {
    let body = fixtures::read("ollama/done_in_arguments.ndjson");
    let first = body.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    let seen = watch(
        Dialect::OllamaChat,
        TapOptions::default(),
        &[first],
        End::Clean,
    );
    assert_eq!(seen.outcome, Outcome::Truncated);
}
