//! `usage` of a response. `input_tokens` includes cached tokens, `output_tokens`
//! those spent on reasoning.

use serde::{Deserialize, Serialize};

use crate::Usage;

#[derive(Deserialize)]
struct Wire {
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

/// Reads a `usage` object; none when it is not in the documented shape.
pub(super) fn read(json: &str) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(json).ok()?;
    let input = wire.input_tokens_details;
    let input = input.map_or((None, None), |it| (it.cached_tokens, it.cache_write_tokens));
    let output = wire.output_tokens_details;
    Some(Usage {
        input: wire.input_tokens,
        cached_input: input.0.unwrap_or(0),
        cache_write: input.1.unwrap_or(0),
        output: wire.output_tokens,
        reasoning: output.and_then(|it| it.reasoning_tokens).unwrap_or(0),
    })
}

/// `usage` for a client.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OutUsage {
    input_tokens: u64,
    input_tokens_details: OutInputDetails,
    output_tokens: u64,
    output_tokens_details: OutOutputDetails,
    total_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutInputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutOutputDetails {
    reasoning_tokens: u64,
}

impl OutUsage {
    /// In the convention of this dialect.
    pub(super) fn of(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input,
            input_tokens_details: OutInputDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write,
            },
            output_tokens: usage.output,
            output_tokens_details: OutOutputDetails {
                reasoning_tokens: usage.reasoning,
            },
            total_tokens: usage.input.saturating_add(usage.output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_and_reasoning_tokens_are_parts_not_additions() {
        let usage = read(
            r#"{"input_tokens":2006,"input_tokens_details":{"cached_tokens":1920,
                "cache_write_tokens":12},"output_tokens":300,
                "output_tokens_details":{"reasoning_tokens":256},"total_tokens":2306}"#,
        );
        let expected = Usage {
            input: 2006,
            cached_input: 1920,
            cache_write: 12,
            output: 300,
            reasoning: 256,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn drifted_shape_is_unreadable_not_zero() {
        for json in ["{}", r#"{"input_tokens":"3"}"#, r#"{"prompt_tokens":3}"#] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(read(r#"{"input_tokens":3,"input_tokens_details":null}"#).is_some());
    }
}
