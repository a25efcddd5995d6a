use super::*;
use crate::fixtures;

const DONE: &[u8] = b"data: [DONE]\n\n";
const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// One transcript with the default options.
fn whole(fixture: &str, end: End) -> Seen {
    with(fixture, TapOptions::default(), end)
}

fn with(fixture: &str, options: TapOptions, end: End) -> Seen {
    watch(
        dialect_of(fixture),
        options,
        &[&fixtures::read(fixture)],
        end,
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn hiding() -> TapOptions {
    TapOptions {
        hide_usage: true,
        ..TapOptions::default()
    }
}

#[test]
fn complete_streams_pass_untouched_and_finish() {
    let counted = |input, output| UsageReport::Final(usage(input, output));
    for (fixture, expected) in [
        ("openai/chat_text.sse", UsageReport::Absent),
        ("openai/chat_tools.sse", UsageReport::Absent),
        ("openai/chat_two_choices.sse", UsageReport::Absent),
        ("openai/chat_usage.sse", counted(19, 10)),
        ("openai/keep_alive_comments.sse", UsageReport::Absent),
        ("openai/odd_framing.sse", counted(5, 2)),
        ("openai/ollama_text.sse", counted(26, 4)),
        ("openai/vllm_reasoning.sse", counted(31, 9)),
        ("anthropic/messages_text.sse", counted(25, 15)),
        ("anthropic/messages_tools.sse", counted(472, 89)),
        ("anthropic/messages_thinking.sse", counted(45, 118)),
        ("anthropic/messages_refusal.sse", counted(25, 3)),
        ("anthropic/unnamed_events.sse", counted(25, 15)),
    ] {
        // Even when the connection breaks behind the terminator.
        for end in [End::Clean, End::Cut, End::Stalled] {
            let seen = whole(fixture, end);
            assert_eq!(seen.all(), fixtures::read(fixture), "{fixture}");
            assert_eq!(seen.outcome, Outcome::Finished, "{fixture}");
            assert_eq!(seen.usage, expected, "{fixture}");
            assert!(seen.answered, "{fixture}");
        }
    }
}

#[test]
fn cached_tokens_of_streams_count_once_in_both_conventions() {
    let openai = whole("openai/chat_usage_cached.sse", End::Clean)
        .usage
        .counts()
        .unwrap();
    assert_eq!(
        (openai.input, openai.cached_input, openai.reasoning),
        (2006, 1920, 256)
    );
    let claude = whole("anthropic/messages_cached.sse", End::Clean)
        .usage
        .counts()
        .unwrap();
    assert_eq!(
        (claude.input, claude.cached_input, claude.cache_write),
        (2009, 1800, 188)
    );
    assert_eq!(claude.output, 393);
}

#[test]
fn usage_only_on_the_last_delta_is_not_lost() {
    let usage = whole("anthropic/usage_on_delta_only.sse", End::Clean).usage;
    let expected = Usage {
        input: 483,
        cached_input: 11,
        output: 89,
        ..Usage::default()
    };
    assert_eq!(usage, UsageReport::Final(expected));
}

#[test]
fn usage_of_another_shape_is_unreadable_not_zero() {
    let seen = whole("anthropic/drifted_usage.sse", End::Clean);
    assert_eq!(seen.usage, UsageReport::Unreadable);
    assert_eq!(seen.outcome, Outcome::Finished);
    let drifted = b"data: {\"choices\":[],\"usage\":{\"tokens\":3}}\n\ndata: [DONE]\n\n";
    let seen = watch(Dialect::OpenAiChat, hiding(), &[drifted], End::Clean);
    assert_eq!(seen.usage, UsageReport::Unreadable);
}

#[test]
fn the_usage_chunk_is_hidden_from_a_client_that_did_not_ask() {
    for fixture in [
        "openai/chat_usage.sse",
        "openai/ollama_text.sse",
        "openai/odd_framing.sse",
    ] {
        let seen = with(fixture, hiding(), End::Clean);
        let given = fixtures::read(fixture);
        let blank = if fixture.ends_with("odd_framing.sse") {
            "\r\n\r\n"
        } else {
            "\n\n"
        };
        let kept: String = text(&given)
            .split_inclusive(blank)
            .filter(|event| !event.contains("\"prompt_tokens\""))
            .collect();
        assert!(kept.len() < given.len(), "{fixture}: nothing to hide");
        assert_eq!(text(&seen.all()), kept, "{fixture}");
        assert!(seen.usage.counts().is_some(), "{fixture}");
    }
}

#[test]
fn a_chunk_with_choices_is_never_hidden() {
    let stream = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\
        \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n\
        data: {\"choices\":\"odd\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n\
        data: [DONE]\n\n";
    let seen = watch(Dialect::OpenAiChat, hiding(), &[stream], End::Clean);
    assert_eq!(text(&seen.all()), text(stream));
    assert_eq!(seen.usage, UsageReport::Final(usage(1, 2)));
}

#[test]
fn a_finish_reason_and_a_clean_end_get_the_terminator() {
    let seen = whole("openai/chat_no_done.sse", End::Clean);
    assert_eq!(
        (seen.outcome, &seen.appended[..]),
        (Outcome::Finished, DONE)
    );
    let seen = whole("anthropic/no_stop.sse", End::Clean);
    assert_eq!(
        (seen.outcome, &seen.appended[..]),
        (Outcome::Finished, STOP)
    );
    assert_eq!(seen.usage, UsageReport::Final(usage(25, 15)));
}

#[test]
fn a_finish_reason_and_a_cut_is_truncated() {
    for fixture in ["openai/chat_no_done.sse", "anthropic/no_stop.sse"] {
        for end in [End::Cut, End::Stalled] {
            assert_eq!(whole(fixture, end).outcome, Outcome::Truncated, "{fixture}");
        }
    }
}

#[test]
fn one_of_two_choices_finished_is_not_all_finished() {
    let fixture = "openai/chat_two_choices_one_finished.sse";
    let asked = TapOptions {
        choices: 2,
        ..TapOptions::default()
    };
    let seen = with(fixture, asked, End::Clean);
    assert_eq!(seen.outcome, Outcome::Truncated);
    assert!(!text(&seen.all()).contains("[DONE]"));
    let together = b"data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},\
        {\"index\":1,\"finish_reason\":null}]}\n\n";
    let seen = watch(Dialect::OpenAiChat, asked, &[together], End::Clean);
    assert_eq!(seen.outcome, Outcome::Truncated);
}

#[test]
fn a_terminator_without_its_blank_line_counts_when_the_end_is_clean() {
    let seen = whole("openai/chat_unterminated_done.sse", End::Clean);
    assert_eq!(seen.outcome, Outcome::Finished);
    assert!(seen.all().ends_with(b"\n\ndata: [DONE]\n\n"));
    for line_end in ["\n", "\r", "\r\n"] {
        let text = r#"{"choices":[{"delta":{"content":"Hi"}}]}"#;
        let stream = format!("data: {text}\n\ndata: [DONE]{line_end}");
        let seen = watch(
            Dialect::OpenAiChat,
            hiding(),
            &[stream.as_bytes()],
            End::Clean,
        );
        assert_eq!(seen.outcome, Outcome::Finished);
        let mut decoder = Decoder::new(EVENT_LIMIT);
        decoder.feed(Bytes::from(seen.all()));
        while let Some(frame) = decoder.next().unwrap() {
            assert!(frame.kind != FrameKind::Block || frame.event().is_some());
        }
        assert!(
            decoder.take_rest().is_empty(),
            "the client would drop it: {line_end:?}"
        );
    }
    let seen = whole("openai/chat_unterminated_done.sse", End::Cut);
    assert_eq!(seen.outcome, Outcome::Truncated);
}

#[test]
fn truncated_stream_is_failed_not_done() {
    for fixture in [
        "openai/cut.sse",
        "openai/cut_between_events.sse",
        "anthropic/cut.sse",
        "anthropic/cut_between_events.sse",
    ] {
        for end in [End::Clean, End::Cut, End::Stalled] {
            let seen = whole(fixture, end);
            assert_eq!(seen.outcome, Outcome::Truncated, "{fixture}");
            let all = seen.all();
            assert!(!text(&all).contains("[DONE]") && !text(&all).contains("message_stop"));
            // What was sent before are whole events.
            assert!(seen.forwarded.ends_with(b"\n\n"), "{fixture}");
            assert!(
                fixtures::read(fixture).starts_with(&seen.forwarded),
                "{fixture}"
            );
        }
    }
}

#[test]
fn the_error_after_a_cut_is_in_the_clients_dialect() {
    assert_eq!(
        text(&whole("openai/cut.sse", End::Cut).appended),
        "data: {\"error\":{\"message\":\"the connection to the upstream broke before the answer \
         was complete\",\"type\":\"server_error\",\"param\":null,\"code\":\"stream_truncated\"}}\n\n"
    );
    assert_eq!(
        text(&whole("anthropic/cut.sse", End::Stalled).appended),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\
         \"the upstream stopped sending before the answer was complete\"}}\n\n"
    );
}

#[test]
fn a_cancelled_stream_still_says_what_is_known() {
    let mut tap = Tap::new(Dialect::AnthropicMessages, TapOptions::default());
    tap.feed(fixtures::read("anthropic/cut_between_events.sse"))
        .unwrap();
    assert_eq!(tap.usage(), UsageReport::Partial(usage(25, 1)));
}

#[test]
fn an_error_event_behind_a_200_can_still_fail_over() {
    for (fixture, kind) in [
        ("openai/error_first.sse", FailureKind::Overloaded),
        ("openai/vllm_old_error_first.sse", FailureKind::BadRequest),
        ("anthropic/overloaded_first.sse", FailureKind::Overloaded),
        (
            "anthropic/ping_then_overloaded.sse",
            FailureKind::Overloaded,
        ),
        ("anthropic/rate_limited_first.sse", FailureKind::RateLimited),
    ] {
        let seen = whole(fixture, End::Clean);
        assert_eq!(seen.head_failed.unwrap().kind, kind, "{fixture}");
        assert!(matches!(seen.outcome, Outcome::Failed(failure) if failure.kind == kind));
        assert!(
            seen.appended.is_empty(),
            "{fixture}: the provider's own error was passed"
        );
    }
}

#[test]
fn a_stream_without_an_answer_can_still_fail_over() {
    for (fixture, code) in [
        ("openai/empty.sse", "empty_stream"),
        ("openai/only_done.sse", "empty_stream"),
        ("openai/garbage.sse", "unreadable_stream"),
        ("anthropic/empty.sse", "empty_stream"),
        ("anthropic/garbage.sse", "unreadable_stream"),
    ] {
        let seen = whole(fixture, End::Clean);
        assert_eq!(
            seen.head_failed.unwrap().code.as_deref(),
            Some(code),
            "{fixture}"
        );
        assert_eq!(seen.outcome, Outcome::Truncated, "{fixture}");
        assert!(
            seen.forwarded.is_empty() && text(&seen.appended).contains("error"),
            "{fixture}"
        );
    }
}

#[test]
fn comments_and_pings_are_not_the_head() {
    let mut tap = Tap::new(Dialect::OpenAiChat, TapOptions::default());
    tap.feed(Bytes::from_static(b": OPENROUTER PROCESSING\n\n"))
        .unwrap();
    assert_eq!(tap.head(), Head::Awaited);
    let mut tap = Tap::new(Dialect::AnthropicMessages, TapOptions::default());
    tap.feed(Bytes::from_static(
        b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
    ))
    .unwrap();
    assert_eq!(tap.head(), Head::Awaited);
    tap.feed(fixtures::read("anthropic/messages_text.sse"))
        .unwrap();
    assert_eq!(tap.head(), Head::Answer);
}

#[test]
fn a_failure_in_the_middle_is_failed_and_never_done() {
    for (fixture, kind) in [
        ("openai/error_mid_stream.sse", FailureKind::ServerError),
        (
            "openai/openrouter_error_finish.sse",
            FailureKind::ServerError,
        ),
        ("openai/vllm_error_then_done.sse", FailureKind::ServerError),
        (
            "anthropic/overloaded_mid_stream.sse",
            FailureKind::Overloaded,
        ),
    ] {
        let seen = whole(fixture, End::Clean);
        assert!(matches!(seen.outcome, Outcome::Failed(failure) if failure.kind == kind));
        assert!(
            seen.answered && seen.head_failed.is_none(),
            "{fixture}: too late to fail over"
        );
        let (all, given) = (seen.forwarded, fixtures::read(fixture));
        assert!(!text(&all).contains("[DONE]"), "{fixture}");
        assert!(
            given.starts_with(&all) && text(&all).contains("error"),
            "{fixture}"
        );
        assert!(seen.appended.is_empty(), "{fixture}: one error is enough");
    }
}

#[test]
fn tool_arguments_that_look_like_fields_decide_nothing() {
    let seen = whole("openai/chat_tools.sse", End::Clean);
    assert_eq!(
        (seen.outcome, seen.usage),
        (Outcome::Finished, UsageReport::Absent)
    );
}

#[test]
fn chunks_are_forwarded_without_a_copy() {
    let chunk = fixtures::read("openai/chat_text.sse");
    let mut tap = Tap::new(Dialect::OpenAiChat, TapOptions::default());
    tap.feed(chunk.clone()).unwrap();
    let forwarded = tap.pop().unwrap();
    assert_eq!(
        (forwarded.as_ptr(), forwarded.len()),
        (chunk.as_ptr(), chunk.len())
    );
    assert_eq!(tap.pop(), None);
}

#[test]
fn an_endless_event_fails_the_stream_in_the_clients_dialect() {
    let options = TapOptions {
        event_limit: 1024,
        ..TapOptions::default()
    };
    let mut tap = Tap::new(Dialect::AnthropicMessages, options);
    let start = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
    tap.feed(Bytes::from_static(start)).unwrap();
    let delta = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n";
    tap.feed(Bytes::from_static(delta)).unwrap();
    let endless = Bytes::from(vec![b'x'; 2000]);
    assert!(tap.feed(endless.clone()).is_err());
    assert!(tap.feed(endless).is_ok(), "the rest is ignored");
    let all = drain(&mut tap);
    assert!(text(&all).ends_with(
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\
         \"the upstream sent an event of more than 1024 bytes\"}}\n\n"
    ));
    assert!(matches!(tap.finish(End::Cut), Outcome::Failed(_)));
    assert_eq!(tap.pop(), None, "one error is enough");
    assert_eq!(tap.head(), Head::Answer);
}
