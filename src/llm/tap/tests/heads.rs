//! When a stream is an answer, and when another upstream may still be tried.

use super::*;

const ROLE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const HI: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const ERROR: &str =
    "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\",\"code\":503}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const TEXT: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\"}}\n\n";
const THOUGHT: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\"}}\n\n";
const DELTA: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n";
const OVERLOADED: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
const END: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const CREATED: &str =
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n";
const MESSAGE: &str = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\"}}\n\n";
const REASONING: &str = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\"}}\n\n";

fn fed(dialect: Dialect, events: &[&str]) -> Tap {
    let mut tap = Tap::new(dialect, TapOptions::default());
    for event in events {
        tap.feed(Bytes::from((*event).to_owned())).unwrap();
    }
    tap
}

#[test]
fn an_announcement_is_no_answer_yet() {
    for (dialect, events) in [
        (Dialect::OpenAiChat, &[ROLE][..]),
        (Dialect::OpenAiChat, &[ROLE, ROLE, ": wait\n\n"]),
        (Dialect::AnthropicMessages, &[START, PING, TEXT]),
        (Dialect::OpenAiResponses, &[CREATED, MESSAGE]),
    ] {
        assert_eq!(fed(dialect, events).head(), Head::Awaited, "{events:?}");
    }
}

#[test]
fn the_first_content_or_a_reason_is() {
    for (dialect, events) in [
        (Dialect::OpenAiChat, &[ROLE, HI][..]),
        (Dialect::OpenAiChat, &[ROLE, STOP]),
        (Dialect::AnthropicMessages, &[START, TEXT, DELTA]),
        (Dialect::AnthropicMessages, &[START, THOUGHT]),
        (Dialect::OpenAiResponses, &[CREATED, REASONING]),
    ] {
        assert_eq!(fed(dialect, events).head(), Head::Answer, "{events:?}");
    }
}

#[test]
fn what_was_held_back_is_forwarded_in_order() {
    let mut tap = fed(Dialect::OpenAiChat, &[ROLE, ": wait\n\n", HI]);
    let all = [ROLE, ": wait\n\n", HI].concat();
    assert_eq!(drain(&mut tap), all.as_bytes());
}

#[test]
fn an_error_behind_an_announcement_may_fail_over() {
    for (dialect, events) in [
        (Dialect::OpenAiChat, &[ROLE, ERROR][..]),
        (Dialect::AnthropicMessages, &[START, PING, TEXT, OVERLOADED]),
    ] {
        let tap = fed(dialect, events);
        assert!(matches!(tap.head(), Head::Failed(_)), "{events:?}");
    }
}

#[test]
fn an_end_behind_an_announcement_is_an_empty_stream() {
    for (dialect, events) in [
        (Dialect::OpenAiChat, &[ROLE][..]),
        (Dialect::OpenAiChat, &[ROLE, DONE]),
        (Dialect::AnthropicMessages, &[START, END]),
        (Dialect::OpenAiResponses, &[CREATED, MESSAGE]),
    ] {
        for end in [End::Clean, End::Cut] {
            let mut tap = fed(dialect, events);
            assert_eq!(tap.finish(end), Outcome::Truncated, "{events:?}");
            let Head::Failed(failure) = tap.head() else {
                panic!("{events:?} is an answer");
            };
            assert_eq!(failure.code.as_deref(), Some("empty_stream"));
        }
    }
}

#[test]
fn an_answer_that_is_empty_for_a_reason_is_complete() {
    let mut tap = fed(Dialect::OpenAiChat, &[ROLE, STOP, DONE]);
    assert_eq!(tap.finish(End::Clean), Outcome::Finished);
}

#[test]
fn events_name_the_served_model_and_pass_in_order() {
    let named =
        "data: {\"model\":\"gpt-x-2026\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let right = named.replace("gpt-x-2026", "fast");
    let stream = [ROLE, named, &right, ": wait\n\n", named, DONE].concat();
    let expected = stream.replace("gpt-x-2026", "fast");
    for split in 0..stream.len() {
        let served = crate::Served::new(Dialect::OpenAiChat, &crate::ServedName::new("fast"));
        let mut tap = Tap::new(Dialect::OpenAiChat, TapOptions::default()).serving(served);
        let (a, b) = stream.split_at(split);
        tap.feed(Bytes::from(a.to_owned())).unwrap();
        let mut all = drain(&mut tap).to_vec();
        tap.feed(Bytes::from(b.to_owned())).unwrap();
        all.extend_from_slice(&drain(&mut tap));
        assert_eq!(
            String::from_utf8(all).unwrap(),
            expected,
            "split at {split}"
        );
    }
}
