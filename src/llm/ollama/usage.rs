//! `prompt_eval_count` and `eval_count`, which stand at the top of an answer.
//!
//! A count of zero is left out. No answer comes from a prompt without tokens, so
//! where `prompt_eval_count` is missing nobody counted (older servers: all of it
//! was in the cache), and that is not zero.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::skim::{self, NoObject};
use crate::{Failure, FailureKind, Usage, UsageReport, classify};

/// The counts as a line has them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counts<'a> {
    #[serde(borrow)]
    prompt_eval_count: Option<&'a RawValue>,
    #[serde(borrow)]
    eval_count: Option<&'a RawValue>,
}

impl Counts<'_> {
    /// What they say of a whole answer.
    pub(super) fn report(&self) -> UsageReport {
        report(
            self.prompt_eval_count.map(RawValue::get),
            self.eval_count.map(RawValue::get),
        )
    }
}

fn report(prompt: Option<&str>, eval: Option<&str>) -> UsageReport {
    let Some(prompt) = prompt else {
        return UsageReport::Absent;
    };
    match (prompt.parse(), eval.unwrap_or("0").parse()) {
        (Ok(input), Ok(output)) => UsageReport::Final(Usage {
            input,
            output,
            ..Usage::default()
        }),
        _ => UsageReport::Unreadable,
    }
}

/// Reads an answer in one piece, as far as the bypass must.
pub(super) fn inspect(body: &[u8]) -> Result<Answer, Failure> {
    let (mut is_error, mut prompt, mut eval) = (false, None, None);
    let said = |value: &'_ [u8]| value != b"null";
    skim::members(body, |member| match member.key {
        b"error" => is_error |= said(member.value),
        b"prompt_eval_count" if said(member.value) => prompt = Some(member.value),
        b"eval_count" if said(member.value) => eval = Some(member.value),
        _ => {}
    })
    .map_err(|NoObject| Failure::new(FailureKind::ServerError, "unreadable_answer"))?;
    if is_error {
        return Err(classify::in_stream(body));
    }
    // What is no text is no number either.
    let text = |value| std::str::from_utf8(value).unwrap_or("?");
    Ok(Answer {
        usage: report(prompt.map(text), eval.map(text)),
        model: None,
    })
}

/// The counts for a client; none where nothing was reported.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OutCounts {
    prompt_eval_count: u64,
    eval_count: u64,
}

impl OutCounts {
    pub(super) fn of(usage: UsageReport) -> Option<Self> {
        let usage = usage.counts()?;
        Some(Self {
            prompt_eval_count: usage.input,
            eval_count: usage.output,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> UsageReport {
        let counts: Counts<'_> = serde_json::from_str(body).unwrap();
        let seen = inspect(body.as_bytes()).unwrap().usage;
        assert_eq!(counts.report(), seen, "{body}");
        seen
    }

    #[test]
    fn counts_are_read_and_what_nobody_counted_is_not_zero() {
        let both = read(r#"{"prompt_eval_count":26,"eval_count":298,"eval_duration":1}"#);
        let expected = Usage {
            input: 26,
            output: 298,
            ..Usage::default()
        };
        assert_eq!(both, UsageReport::Final(expected));
        assert_eq!(read(r#"{"eval_count":298}"#), UsageReport::Absent);
        assert_eq!(read(r#"{"prompt_eval_count":null}"#), UsageReport::Absent);
        let nothing_said = Usage {
            input: 26,
            ..Usage::default()
        };
        let only_prompt = read(r#"{"prompt_eval_count":26}"#);
        assert_eq!(only_prompt, UsageReport::Final(nothing_said));
    }

    #[test]
    fn drifted_counts_are_unreadable_not_zero() {
        for body in [
            r#"{"prompt_eval_count":"26","eval_count":1}"#,
            r#"{"prompt_eval_count":26,"eval_count":-1}"#,
            r#"{"prompt_eval_count":{},"eval_count":1}"#,
        ] {
            assert_eq!(read(body), UsageReport::Unreadable, "{body}");
        }
    }

    #[test]
    fn an_error_under_a_200_is_a_failure() {
        assert!(inspect(br#"{"error":"model runner has unexpectedly stopped"}"#).is_err());
        assert!(inspect(br#"{"error":null,"done":true}"#).is_ok());
        assert!(inspect(b"<html>").is_err());
    }
}
