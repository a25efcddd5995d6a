//! Why an answer ended: `finishReason` ⇄ the IR.

use crate::ir::FinishReason;

/// Words of filters.
const FILTERED: [&str; 10] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "JAILBREAK",
];

/// Words that clients know beside those.
const KNOWN: [&str; 11] = [
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "ESCALATION",
    "CONTINUATION",
    "OTHER",
];

/// The reason behind a word. `STOP` stands for calls as well.
pub(super) fn read(word: &str, called: bool) -> FinishReason {
    match word {
        "STOP" if called => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        // No other dialect has a word for these; the nearest says that the answer is
        // not whole.
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE" => FinishReason::Length,
        word if FILTERED.contains(&word) => FinishReason::ContentFilter,
        // In small letters, as the words of the other dialects are.
        other => FinishReason::Other(other.to_ascii_lowercase()),
    }
}

/// The word for a reason.
pub(super) fn word(reason: &FinishReason) -> String {
    let word = match reason {
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::ContextWindow | FinishReason::Length => "MAX_TOKENS",
        FinishReason::Stop | FinishReason::StopSequence(_) | FinishReason::ToolCalls => "STOP",
        FinishReason::Pause => "OTHER",
        FinishReason::Other(word) => {
            let word = word.to_ascii_uppercase();
            let known = KNOWN.iter().find(|known| **known == word);
            known.copied().unwrap_or("OTHER")
        }
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_refusal_and_a_malformed_call_no_success() {
        for word in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII"] {
            assert_eq!(read(word, false), FinishReason::ContentFilter, "{word}");
        }
        let malformed = read("MALFORMED_FUNCTION_CALL", false);
        assert_eq!(malformed, FinishReason::Length);
        assert_eq!(read("STOP", true), FinishReason::ToolCalls);
    }

    #[test]
    fn every_reason_is_a_word_that_the_sdk_knows() {
        assert_eq!(word(&FinishReason::Other("pause_turn".into())), "OTHER");
        assert_eq!(word(&FinishReason::ContextWindow), "MAX_TOKENS");
        assert_eq!(word(&FinishReason::ToolCalls), "STOP");
    }
}
