//! `usage` of chat completions. `prompt_tokens` includes cached tokens,
//! `completion_tokens` those spent on reasoning.

use serde::{Deserialize, Serialize};

use crate::Usage;

#[derive(Deserialize)]
struct Wire {
    prompt_tokens: u64,
    // Absent where nothing was generated.
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// Reads a `usage` object; none when it is not in the documented shape.
pub(crate) fn read(json: &str) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(json).ok()?;
    Some(Usage {
        input: wire.prompt_tokens,
        cached_input: wire
            .prompt_tokens_details
            .and_then(|it| it.cached_tokens)
            .unwrap_or(0),
        cache_write: 0,
        output: wire.completion_tokens,
        reasoning: wire
            .completion_tokens_details
            .and_then(|it| it.reasoning_tokens)
            .unwrap_or(0),
    })
}

/// `usage` for a client.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct OutUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: OutPromptDetails,
    completion_tokens_details: OutCompletionDetails,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutPromptDetails {
    cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutCompletionDetails {
    reasoning_tokens: u64,
}

impl OutUsage {
    /// In the convention of this dialect.
    pub(crate) fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: OutPromptDetails {
                cached_tokens: usage.cached_input,
            },
            completion_tokens_details: OutCompletionDetails {
                reasoning_tokens: usage.reasoning,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_part_of_the_input_not_added() {
        let usage = read(
            r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
                "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":256}}"#,
        );
        let expected = Usage {
            input: 2006,
            cached_input: 1920,
            cache_write: 0,
            output: 300,
            reasoning: 256,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn absent_details_are_no_drift() {
        let plain = read(
            r#"{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":null,
                "completion_tokens_details":{"reasoning_tokens":null}}"#,
        );
        assert_eq!(
            plain,
            Some(Usage {
                input: 3,
                output: 4,
                ..Usage::default()
            })
        );
    }

    #[test]
    fn drifted_shape_is_unreadable_not_zero() {
        for json in [
            "{}",
            r#"{"prompt_tokens":"3"}"#,
            r#"{"input_tokens":3}"#,
            "[]",
            "7",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
