//! `usageMetadata`. `promptTokenCount` includes what came from the cache;
//! `candidatesTokenCount` excludes thoughts.

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::skim::{self, NoObject};
use crate::{Failure, FailureKind, Usage, UsageReport, classify};

/// Counts of one answer. In a stream each event may have them: the last ones count.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    prompt_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

/// Reads `usageMetadata`; none when it is not in the documented shape.
pub(super) fn read(json: &str) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(json).ok()?;
    let reasoning = wire.thoughts_token_count.unwrap_or(0);
    let tools = wire.tool_use_prompt_token_count.unwrap_or(0);
    Some(Usage {
        input: wire.prompt_token_count?.saturating_add(tools),
        cached_input: wire.cached_content_token_count.unwrap_or(0),
        cache_write: 0,
        // Absent where nothing was generated.
        output: wire
            .candidates_token_count
            .unwrap_or(0)
            .saturating_add(reasoning),
        reasoning,
    })
}

/// Reads an answer in one piece, for the bypass.
pub(super) fn inspect(body: &[u8]) -> Result<Answer, Failure> {
    let (mut failed, mut usage) = (false, None);
    skim::members(body, |member| match member.key {
        b"error" => failed |= member.value != b"null",
        b"usageMetadata" if member.value != b"null" => usage = Some(member.value),
        _ => {}
    })
    .map_err(|NoObject| Failure::new(FailureKind::ServerError, "unreadable_answer"))?;
    if failed {
        return Err(classify::in_stream(body));
    }
    let usage = match usage {
        None => UsageReport::Absent,
        Some(raw) => std::str::from_utf8(raw)
            .ok()
            .and_then(read)
            .map_or(UsageReport::Unreadable, UsageReport::Final),
    };
    Ok(Answer { usage, model: None })
}

/// `usageMetadata` for a client.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutUsage {
    prompt_token_count: u64,
    candidates_token_count: u64,
    total_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl OutUsage {
    /// In the convention of this dialect; none where nothing was reported.
    pub(super) fn of(usage: UsageReport) -> Option<Self> {
        let usage = usage.counts()?;
        Some(Self {
            prompt_token_count: usage.input,
            candidates_token_count: usage.output.saturating_sub(usage.reasoning),
            total_token_count: usage.input.saturating_add(usage.output),
            cached_content_token_count: usage.cached_input,
            thoughts_token_count: usage.reasoning,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_part_of_the_input_and_thoughts_are_added_to_the_output() {
        let usage = read(
            r#"{"promptTokenCount":2100,"cachedContentTokenCount":2000,"candidatesTokenCount":30,
                "thoughtsTokenCount":70,"toolUsePromptTokenCount":5,"totalTokenCount":2205}"#,
        );
        let expected = Usage {
            input: 2105,
            cached_input: 2000,
            cache_write: 0,
            output: 100,
            reasoning: 70,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn drifted_shape_is_unreadable_not_zero() {
        for json in ["{}", r#"{"promptTokenCount":"3"}"#, r#"{"input":3}"#, "[]"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
