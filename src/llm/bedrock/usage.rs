//! `usage` of Converse. `inputTokens` excludes what was read from and written to
//! the prompt cache.

use serde::{Deserialize, Serialize};

use crate::{Usage, UsageReport};

/// The counts of one answer.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl Counts {
    /// Reads a `usage` object; none when it is not in the documented shape.
    pub(super) fn read(json: &str) -> Option<Self> {
        let counts: Self = serde_json::from_str(json).ok()?;
        (counts.input_tokens.is_some() || counts.output_tokens.is_some()).then_some(counts)
    }

    /// In the convention of all providers.
    pub(super) fn normalised(&self) -> Usage {
        let cached_input = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write = self.cache_write_input_tokens.unwrap_or(0);
        let fresh = self.input_tokens.unwrap_or(0);
        Usage {
            input: fresh
                .saturating_add(cached_input)
                .saturating_add(cache_write),
            cached_input,
            cache_write,
            output: self.output_tokens.unwrap_or(0),
            reasoning: 0,
        }
    }
}

/// `usage` for a client.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutUsage {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
}

impl OutUsage {
    /// In the convention of this dialect; none where nothing was reported.
    pub(super) fn of(usage: UsageReport) -> Option<Self> {
        let usage = usage.counts()?;
        let cached = usage.cached_input.saturating_add(usage.cache_write);
        Some(Self {
            input_tokens: usage.input.saturating_sub(cached),
            output_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            cache_read_input_tokens: usage.cached_input,
            cache_write_input_tokens: usage.cache_write,
        })
    }
}

/// `metrics` for a client. SDKs insist on it; how long the model took by itself
/// nobody but its provider knows.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutMetrics {
    latency_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_added_to_the_input_once_and_taken_off_again() {
        let usage = Counts::read(
            r#"{"inputTokens":21,"outputTokens":393,"totalTokens":2402,
                "cacheReadInputTokens":1800,"cacheWriteInputTokens":188}"#,
        )
        .unwrap()
        .normalised();
        let expected = Usage {
            input: 2009,
            cached_input: 1800,
            cache_write: 188,
            output: 393,
            reasoning: 0,
        };
        assert_eq!(usage, expected);
        let told = OutUsage::of(UsageReport::Final(usage)).unwrap();
        assert_eq!((told.input_tokens, told.total_tokens), (21, 2402));
    }

    #[test]
    fn drifted_shape_is_unreadable_not_zero() {
        for json in ["{}", r#"{"inputTokens":"3"}"#, "null", "[]"] {
            assert!(Counts::read(json).is_none(), "{json}");
        }
    }
}
