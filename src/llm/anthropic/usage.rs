//! `usage` of Messages. `input_tokens` excludes what was read from and
//! written to the prompt cache.

use serde::{Deserialize, Serialize};

use crate::{Usage, UsageReport};

/// The counts seen so far. In a stream, `message_start` brings the first and
/// `message_delta` cumulative ones: the larger wins, nothing is summed over
/// events.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl Counts {
    /// Reads a `usage` object; none when it is not in the documented shape.
    pub(crate) fn read(json: &str) -> Option<Self> {
        let counts: Self = serde_json::from_str(json).ok()?;
        (counts.input_tokens.is_some() || counts.output_tokens.is_some()).then_some(counts)
    }

    /// Takes later counts of the same answer.
    pub(crate) fn update(&mut self, later: &Self) {
        // None is less than any count.
        self.input_tokens = self.input_tokens.max(later.input_tokens);
        self.cache_creation_input_tokens = self
            .cache_creation_input_tokens
            .max(later.cache_creation_input_tokens);
        self.cache_read_input_tokens = self
            .cache_read_input_tokens
            .max(later.cache_read_input_tokens);
        self.output_tokens = self.output_tokens.max(later.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    /// In the convention of all providers.
    pub(crate) fn normalised(&self) -> Usage {
        let cached_input = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write = self.cache_creation_input_tokens.unwrap_or(0);
        let fresh = self.input_tokens.unwrap_or(0);
        let details = self.output_tokens_details.unwrap_or_default();
        Usage {
            input: fresh
                .saturating_add(cached_input)
                .saturating_add(cache_write),
            cached_input,
            cache_write,
            output: self.output_tokens.unwrap_or(0),
            reasoning: details.thinking_tokens.unwrap_or(0),
        }
    }
}

/// `usage` for a client. The dialect insists on the object, so what a provider did
/// not report is null in it: never a number that nobody counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct OutUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl OutUsage {
    /// In the convention of this dialect: without what came from the cache.
    pub(crate) fn of(usage: UsageReport) -> Self {
        let Some(usage) = usage.counts() else {
            return Self::default();
        };
        let cached = usage.cached_input.saturating_add(usage.cache_write);
        Self {
            input_tokens: Some(usage.input.saturating_sub(cached)),
            cache_creation_input_tokens: Some(usage.cache_write),
            cache_read_input_tokens: Some(usage.cached_input),
            output_tokens: Some(usage.output),
        }
    }

    /// The counts so far, at the beginning of a stream: cumulative, so that 0 is
    /// true where nothing was counted yet, and the end corrects it.
    pub(crate) fn so_far(usage: UsageReport) -> Self {
        Self::of(UsageReport::Partial(usage.counts().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(json: &str) -> Counts {
        Counts::read(json).unwrap()
    }

    #[test]
    fn cached_tokens_are_added_to_the_input_once() {
        let usage = counts(
            r#"{"input_tokens":21,"cache_creation_input_tokens":188,
                "cache_read_input_tokens":1800,"output_tokens":393}"#,
        )
        .normalised();
        let expected = Usage {
            input: 2009,
            cached_input: 1800,
            cache_write: 188,
            output: 393,
            reasoning: 0,
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn later_counts_are_cumulative_never_summed() {
        let mut seen = counts(r#"{"input_tokens":25,"output_tokens":1}"#);
        seen.update(&counts(r#"{"output_tokens":15}"#));
        seen.update(&counts(r#"{"input_tokens":0,"output_tokens":20}"#));
        seen.update(&counts(r#"{"input_tokens":25}"#));
        let usage = seen.normalised();
        assert_eq!((usage.input, usage.output), (25, 20));
    }

    #[test]
    fn usage_only_at_the_end_is_not_lost() {
        let mut seen = counts(r#"{"input_tokens":0,"output_tokens":0}"#);
        seen.update(&counts(
            r#"{"input_tokens":472,"cache_read_input_tokens":11,"output_tokens":89}"#,
        ));
        let usage = seen.normalised();
        assert_eq!(
            (usage.input, usage.cached_input, usage.output),
            (483, 11, 89)
        );
    }

    #[test]
    fn thinking_tokens_are_part_of_the_output_not_added() {
        let usage = counts(
            r#"{"input_tokens":9,"output_tokens":118,
                "output_tokens_details":{"thinking_tokens":90}}"#,
        )
        .normalised();
        assert_eq!((usage.output, usage.reasoning), (118, 90));
    }

    #[test]
    fn drifted_shape_is_unreadable_not_zero() {
        for json in [
            "{}",
            r#"{"input_tokens":"3"}"#,
            r#"{"prompt_tokens":3}"#,
            "null",
            "[]",
        ] {
            assert!(Counts::read(json).is_none(), "{json}");
        }
    }
}
