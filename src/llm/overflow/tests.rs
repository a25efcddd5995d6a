use http::{HeaderMap, StatusCode};

use super::*;
use crate::{classify, fixtures};

/// What servers say → what a client of Anthropic reads.
const SAID: &[(&str, &str)] = &[
    (
        "This model's maximum context length is 128000 tokens. However, your messages resulted in \
         140012 tokens. Please reduce the length of the messages.",
        "prompt is too long: 140012 tokens > 128000 maximum",
    ),
    (
        "This model's maximum context length is 8192 tokens. However, you requested 8412 tokens \
         (7412 in the messages, 1000 in the completion).",
        "input length and `max_tokens` exceed context limit: 7412 + 1000 > 8192, decrease input \
         length or `max_tokens` and try again",
    ),
    (
        "This model's maximum context length is 32768 tokens. However, you requested 1000 output \
         tokens and your prompt contains at least 31769 input tokens, for a total of at least \
         32769 tokens.",
        "input length and `max_tokens` exceed context limit: 31769 + 1000 > 32768, decrease input \
         length or `max_tokens` and try again",
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context \
         length is 32768 tokens and your request has 5000 input tokens (32000 > 32768 - 5000).",
        "input length and `max_tokens` exceed context limit: 5000 + 32000 > 32768, decrease input \
         length or `max_tokens` and try again",
    ),
    (
        "Requested token count exceeds the model's maximum context length of 262144 tokens. You \
         requested a total of 262462 tokens: 230462 tokens from the input messages and 32000 \
         tokens for the completion.",
        "input length and `max_tokens` exceed context limit: 230462 + 32000 > 262144, decrease \
         input length or `max_tokens` and try again",
    ),
    (
        "This endpoint's maximum context length is 131072 tokens. However, you requested about \
         150000 tokens (149000 of text input, 1000 in the output).",
        "prompt is too long: 149000 tokens > 131072 maximum",
    ),
    (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "prompt is too long: 1200000 tokens > 1048576 maximum",
    ),
    (
        "The decoder prompt (length 40000) is longer than the maximum model length of 32768.",
        "prompt is too long: 40000 tokens > 32768 maximum",
    ),
    (
        "Your input exceeds the context window of this model. Please adjust your input and try \
         again.",
        "prompt is too long: Your input exceeds the context window of this model. Please adjust \
         your input and try again.",
    ),
    (
        "prompt too long; exceeded max context length by 312 tokens",
        "prompt is too long: prompt too long; exceeded max context length by 312 tokens",
    ),
    (
        "the request exceeds the available context size. try increasing the context size",
        "prompt is too long: the request exceeds the available context size. try increasing the \
         context size",
    ),
    (
        "Input is too long for requested model.",
        "prompt is too long: Input is too long for requested model.",
    ),
    (
        "prompt is too long: 210012 tokens > 200000 maximum",
        "prompt is too long: 210012 tokens > 200000 maximum",
    ),
    (
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
    ),
];

fn refusal(message: &str) -> Failure {
    let body = serde_json::json!({"error": {"message": message, "code": 400}}).to_string();
    let now = std::time::SystemTime::UNIX_EPOCH;
    classify(
        StatusCode::BAD_REQUEST,
        &HeaderMap::new(),
        body.as_bytes(),
        now,
    )
}

#[test]
fn every_server_is_understood_and_told_in_anthropics_words() {
    for (said, expected) in SAID {
        let failure = refusal(said);
        assert!(failure.overflows(), "{said}");
        assert_eq!(in_anthropics_words(said), *expected);
        let told = failure.to_error().body(Dialect::AnthropicMessages);
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["error"]["type"], "invalid_request_error");
        assert_eq!(told["error"]["message"], *expected);
    }
}

#[test]
fn clients_of_openai_read_its_code_and_the_servers_words() {
    for (said, _) in SAID {
        let error = refusal(said).to_error();
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
            assert_eq!(error.status(dialect), 400);
            let told: serde_json::Value = serde_json::from_slice(&error.body(dialect)).unwrap();
            assert_eq!(told["error"]["code"], CODE);
            assert_eq!(told["error"]["type"], "invalid_request_error");
            assert_eq!(told["error"]["message"], *said);
        }
    }
}

#[test]
fn clients_of_bedrock_read_its_sentence() {
    for (said, _) in SAID {
        let error = refusal(said).to_error();
        for told in [
            error.body(Dialect::BedrockConverse),
            error.stream_event(Dialect::BedrockConverse),
        ] {
            let told = String::from_utf8_lossy(&told).into_owned();
            assert_eq!(told.matches(AMAZONS).count(), 1, "{told}");
        }
        let named = error.header(Dialect::BedrockConverse);
        assert_eq!(named, Some(("x-amzn-errortype", "ValidationException")));
    }
}

#[test]
fn other_refusals_are_not_taken_for_it() {
    for said in [
        "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
        "temperature: must be at most 1",
        "Invalid 'messages[0].content': string too long. Expected a string with maximum length \
         1048576",
    ] {
        let failure = refusal(said);
        assert!(!failure.overflows(), "{said}");
        let told = failure.to_error();
        assert_eq!(told.message(), said);
        for dialect in Dialect::ALL.iter().copied() {
            let told = told.body(dialect);
            assert!(!String::from_utf8_lossy(&told).contains("too long for"));
            assert!(!String::from_utf8_lossy(&told).contains(CODE));
        }
    }
    // A limit of tokens a minute is no context window.
    let mut limited = refusal("maximum context length");
    limited.kind = FailureKind::RateLimited;
    assert!(!limited.overflows());
}

#[test]
fn a_compatible_servers_words_are_foreign_and_the_providers_own_are_not() {
    let now = std::time::SystemTime::UNIX_EPOCH;
    let openais = classify(
        StatusCode::BAD_REQUEST,
        &HeaderMap::new(),
        &fixtures::read("openai/error_400_context.json"),
        now,
    );
    assert!(!openais.is_foreign_to(Dialect::OpenAiChat));
    assert!(openais.is_foreign_to(Dialect::AnthropicMessages));
    let vllms = refusal("This model's maximum context length is 10 tokens.");
    for dialect in [
        Dialect::AnthropicMessages,
        Dialect::BedrockConverse,
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
    ] {
        assert!(vllms.is_foreign_to(dialect), "{dialect:?}");
        assert!(!refusal("no such tool").is_foreign_to(dialect));
    }
    let anthropics = refusal("prompt is too long: 7 tokens > 5 maximum");
    assert!(!anthropics.is_foreign_to(Dialect::AnthropicMessages));
    assert!(!vllms.is_foreign_to(Dialect::Gemini));
}

#[test]
fn a_failed_response_says_so_in_its_stream() {
    let error = refusal(SAID[0].0).to_error();
    let event = error.stream_event(Dialect::OpenAiResponses);
    assert!(String::from_utf8_lossy(&event).contains(CODE));
}
