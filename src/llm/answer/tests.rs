use super::*;
use crate::fixtures;

fn usage(dialect: Dialect, fixture: &str) -> UsageReport {
    read(dialect, &fixtures::read(fixture)).unwrap().usage
}

#[test]
fn openai_answers_say_what_they_cost() {
    let text = Usage {
        input: 19,
        output: 10,
        ..Usage::default()
    };
    assert_eq!(
        usage(Dialect::OpenAiChat, "openai/chat_text.json"),
        UsageReport::Final(text)
    );
    let tools = Usage {
        input: 82,
        output: 17,
        ..Usage::default()
    };
    assert_eq!(
        usage(Dialect::OpenAiChat, "openai/chat_tools.json"),
        UsageReport::Final(tools)
    );
}

#[test]
fn anthropic_answers_say_what_they_cost() {
    let text = Usage {
        input: 25,
        output: 12,
        ..Usage::default()
    };
    let dialect = Dialect::AnthropicMessages;
    assert_eq!(
        usage(dialect, "anthropic/messages_text.json"),
        UsageReport::Final(text)
    );
    let tools = Usage {
        input: 472,
        output: 89,
        ..Usage::default()
    };
    assert_eq!(
        usage(dialect, "anthropic/messages_tools.json"),
        UsageReport::Final(tools)
    );
}

#[test]
fn cached_tokens_count_once_in_both_conventions() {
    let openai = usage(Dialect::OpenAiChat, "openai/chat_cached.json")
        .counts()
        .unwrap();
    assert_eq!(
        (openai.input, openai.cached_input, openai.cache_write),
        (2006, 1920, 0)
    );
    let claude = usage(Dialect::AnthropicMessages, "anthropic/messages_cached.json");
    let claude = claude.counts().unwrap();
    assert_eq!(
        (claude.input, claude.cached_input, claude.cache_write),
        (2009, 1800, 188)
    );
}

#[test]
fn usage_of_another_shape_is_unreadable_not_zero() {
    let drifted = read(Dialect::OpenAiChat, br#"{"usage":{"tokens":7}}"#).unwrap();
    assert_eq!(drifted.usage, UsageReport::Unreadable);
    let absent = read(Dialect::OpenAiChat, br#"{"choices":[],"usage":null}"#).unwrap();
    assert_eq!(absent.usage, UsageReport::Absent);
}

#[test]
fn an_error_under_a_200_is_a_failure() {
    for (dialect, fixture, kind) in [
        (
            Dialect::OpenAiChat,
            "openai/error_quota.json",
            FailureKind::Quota,
        ),
        (
            Dialect::AnthropicMessages,
            "anthropic/error_529.json",
            FailureKind::Overloaded,
        ),
    ] {
        assert_eq!(
            read(dialect, &fixtures::read(fixture)).unwrap_err().kind,
            kind
        );
    }
}

#[test]
fn a_page_of_html_under_a_200_is_a_failure() {
    for body in [&b"<html>"[..], b"", b"[]", b"\"x\""] {
        let failure = read(Dialect::OpenAiChat, body).unwrap_err();
        assert_eq!(failure.code.as_deref(), Some("unreadable_answer"));
    }
}

#[test]
fn the_end_of_a_large_answer_says_what_all_of_it_cost() {
    let tail = br#"0.25]}],"model":"m","usage": {"prompt_tokens":9,"total_tokens":9}}"#;
    let counted = read_tail(Dialect::OpenAiChat, tail).counts().unwrap();
    assert_eq!((counted.input, counted.output), (9, 0));
    let said = br#"{"content":"\"usage\":{\"prompt_tokens\":9}"}"#;
    assert_eq!(read_tail(Dialect::OpenAiChat, said), UsageReport::Absent);
    let cut = br#""usage":{"prompt_tokens":"#;
    let unreadable = read_tail(Dialect::OpenAiChat, cut);
    assert_eq!(unreadable, UsageReport::Unreadable);
}

#[test]
fn the_end_of_a_large_answer_of_gemini_or_ollama_says_what_it_cost_too() {
    let gemini = br#"x"}]},"finishReason":"STOP"}],"usageMetadata": {"promptTokenCount":7,
        "candidatesTokenCount":3,"thoughtsTokenCount":2},"modelVersion":"m","responseId":"r"}"#;
    let counted = read_tail(Dialect::Gemini, gemini).counts().unwrap();
    assert_eq!((counted.input, counted.output), (7, 5));
    let ollama = br#"x"},"done":true,"prompt_eval_count":26,"eval_count":298,"eval_duration":9}"#;
    let counted = read_tail(Dialect::OllamaChat, ollama).counts().unwrap();
    assert_eq!((counted.input, counted.output), (26, 298));
    let drifted = br#"x"},"done":true,"prompt_eval_count":"26","eval_count":298}"#;
    let unreadable = read_tail(Dialect::OllamaChat, drifted);
    assert_eq!(unreadable, UsageReport::Unreadable);
    let none = read_tail(Dialect::OllamaChat, br#"x"},"done":true,"eval_count":2}"#);
    assert_eq!(none, UsageReport::Absent);
}

#[test]
fn every_wire_names_where_its_usage_is() {
    for (dialect, fixture) in [
        (Dialect::AnthropicMessages, "anthropic/messages_cached.json"),
        (Dialect::BedrockConverse, "bedrock/converse_text.json"),
        (Dialect::Gemini, "gemini/text.json"),
        (Dialect::OllamaChat, "ollama/text.json"),
        (Dialect::OpenAiChat, "openai/chat_cached.json"),
        (Dialect::OpenAiResponses, "openai-responses/text.json"),
    ] {
        let body = fixtures::read(fixture);
        assert_eq!(read_tail(dialect, &body), usage(dialect, fixture));
        assert!(usage(dialect, fixture).counts().is_some(), "{fixture}");
    }
}
