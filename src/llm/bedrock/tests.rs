//! Verdicts on the wire of ConverseStream, and round trips of thoughts.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::capabilities::CapabilityTable;
use crate::custody::strip_marked;
use crate::{
    ApiError, Dialect, End, ErrorKind, FailureKind, FrameError, Head, Outcome, Tap, TapOptions,
    Target, Translated, Translator, UsageReport, answer, fixtures,
};

const CONVERSE: Dialect = Dialect::BedrockConverse;
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// What a client of the same dialect sees of a stream.
struct Seen {
    bytes: Vec<u8>,
    outcome: Outcome,
    usage: UsageReport,
    fails_over: bool,
}

fn watch(body: &[u8], pieces: usize, end: End) -> Seen {
    let mut tap = Tap::new(CONVERSE, TapOptions::default());
    let mut bytes = Vec::new();
    for piece in body.chunks(pieces) {
        // What cannot be read shows in the outcome.
        let _ = tap.feed(Bytes::copy_from_slice(piece));
        while let Some(more) = tap.pop() {
            bytes.extend_from_slice(&more);
        }
    }
    let outcome = tap.finish(end);
    while let Some(more) = tap.pop() {
        bytes.extend_from_slice(&more);
    }
    Seen {
        bytes,
        outcome,
        usage: tap.usage(),
        fails_over: matches!(tap.head(), Head::Failed(_)),
    }
}

fn seen(fixture: &str, end: End) -> Seen {
    watch(
        &fixtures::read(&format!("bedrock/{fixture}.events")),
        4096,
        end,
    )
}

fn code(outcome: &Outcome) -> &str {
    let Outcome::Failed(failure) = outcome else {
        panic!("{outcome:?}");
    };
    failure.code.as_deref().unwrap()
}

#[test]
fn complete_streams_pass_untouched_however_they_come() {
    for fixture in [
        "text",
        "tools",
        "parallel_tools",
        "thinking_tools",
        "guardrail",
        "cached",
        "unknown_events",
    ] {
        let body = fixtures::read(&format!("bedrock/{fixture}.events"));
        for pieces in [1, 7, 100, 4096] {
            for end in [End::Clean, End::Cut, End::Stalled] {
                let seen = watch(&body, pieces, end);
                assert_eq!(seen.bytes, body, "{fixture}");
                assert_eq!(seen.outcome, Outcome::Finished, "{fixture}");
                assert!(matches!(seen.usage, UsageReport::Final(_)), "{fixture}");
            }
        }
    }
}

#[test]
fn a_stream_without_metadata_is_finished_by_its_end_and_its_cost_unknown() {
    let clean = seen("no_metadata", End::Clean);
    assert_eq!(clean.outcome, Outcome::Finished);
    assert_eq!(clean.usage, UsageReport::Absent);
    assert_eq!(seen("no_metadata", End::Cut).outcome, Outcome::Truncated);
    let drifted = seen("drifted_usage", End::Clean);
    assert_eq!(drifted.outcome, Outcome::Finished);
    assert_eq!(drifted.usage, UsageReport::Unreadable);
}

#[test]
fn a_stream_that_is_cut_is_failed_not_done() {
    for fixture in [
        "cut_between_frames",
        "cut_in_frame",
        "cut_in_lengths",
        "cut_in_metadata",
    ] {
        for end in [End::Clean, End::Cut, End::Stalled] {
            let seen = seen(fixture, end);
            assert_eq!(seen.outcome, Outcome::Truncated, "{fixture}");
            let told = fixtures::readable(&seen.bytes);
            let last = told.lines().last().unwrap();
            assert!(
                last.contains("modelStreamErrorException"),
                "{fixture}: {last}"
            );
        }
    }
}

#[test]
fn a_damaged_frame_fails_the_stream_and_never_reaches_the_client() {
    for fixture in ["wrong_checksum", "wrong_text", "wrong_length"] {
        let seen = seen(fixture, End::Clean);
        assert_eq!(code(&seen.outcome), "damaged_event", "{fixture}");
        let told = fixtures::readable(&seen.bytes);
        assert!(told.contains("Hel") && !told.contains("\"lo\""), "{told}");
        assert!(!told.contains("messageStop"), "{told}");
        assert!(!seen.fails_over, "{fixture}");
    }
    for fixture in ["garbage", "stream_in_sse", "empty", "only_metadata"] {
        assert!(seen(fixture, End::Clean).fails_over, "{fixture}");
    }
}

#[test]
fn an_exception_is_a_failure_with_its_kind() {
    for (fixture, kind, fails_over) in [
        ("throttled_first", FailureKind::RateLimited, true),
        ("unavailable_first", FailureKind::Overloaded, true),
        ("validation_first", FailureKind::BadRequest, true),
        ("throttled_mid_stream", FailureKind::RateLimited, false),
        ("model_error_mid_stream", FailureKind::ServerError, false),
        ("error_mid_stream", FailureKind::ServerError, false),
    ] {
        let seen = seen(fixture, End::Clean);
        let Outcome::Failed(failure) = &seen.outcome else {
            panic!("{fixture}: {:?}", seen.outcome);
        };
        assert_eq!(failure.kind, kind, "{fixture}");
        assert_eq!(seen.fails_over, fails_over, "{fixture}");
        let body = fixtures::read(&format!("bedrock/{fixture}.events"));
        assert_eq!(
            seen.bytes, body,
            "the client reads the provider's own words"
        );
    }
}

#[test]
fn what_stands_behind_the_end_does_not_undo_it() {
    let mut body = fixtures::read("bedrock/text.events").to_vec();
    let whole = body.len();
    body.extend_from_slice(b"<html>");
    body.extend_from_slice(&[0; 64]);
    for pieces in [1, 4096] {
        let seen = watch(&body, pieces, End::Clean);
        assert_eq!(seen.outcome, Outcome::Finished);
        assert_eq!(seen.bytes, body[..whole]);
    }
}

#[test]
fn a_frame_over_the_limit_fails_before_it_is_kept() {
    let options = TapOptions {
        event_limit: 64,
        ..TapOptions::default()
    };
    let mut tap = Tap::new(CONVERSE, options);
    let error = tap.feed(fixtures::read("bedrock/text.events")).unwrap_err();
    assert!(matches!(error, FrameError::TooLarge(_)));
    assert!(tap.pop().is_some(), "the client is told");
}

#[test]
fn an_event_that_cannot_be_read_fails_a_translated_stream() {
    let mut body = crate::eventstream::event("messageStart", r#"{"role":"assistant"}"#).to_vec();
    let odd = r#"{"contentBlockIndex":"0","delta":{"text":"x"}}"#;
    body.extend_from_slice(&crate::eventstream::event("contentBlockDelta", odd));
    let asked = asked(Dialect::OpenAiChat, &json!({})).unwrap();
    let translator = Translator::new(Dialect::OpenAiChat, CONVERSE);
    let mut tap = translator.stream(&asked.context, TapOptions::default());
    tap.feed(Bytes::from(body)).unwrap();
    assert_eq!(code(&tap.finish(End::Clean)), "unreadable_event");
}

#[test]
fn cached_tokens_are_counted_once() {
    let read = answer::read(CONVERSE, &fixtures::read("bedrock/converse_cached.json")).unwrap();
    let usage = read.usage.counts().unwrap();
    assert_eq!((usage.input, usage.cached_input), (2009, 1800));
    assert_eq!((usage.cache_write, usage.output), (188, 393));
    let streamed = seen("cached", End::Clean).usage;
    assert_eq!(streamed, read.usage);
}

#[test]
fn errors_are_what_boto3_reads() {
    let error = ApiError::new(ErrorKind::RateLimited, "slow down");
    assert_eq!(error.status(CONVERSE), 429);
    let header = ("x-amzn-errortype", "ThrottlingException");
    assert_eq!(error.header(CONVERSE), Some(header));
    assert_eq!(
        error.body(CONVERSE),
        r#"{"message":"slow down","__type":"ThrottlingException"}"#
    );
    assert_eq!(
        fixtures::readable(&error.stream_event(CONVERSE)),
        "{\"error\":{\"throttlingException\":{\"message\":\"slow down\"}}}\n"
    );
    // SDKs try a 429 again, and an account without quota stays so.
    assert_eq!(ErrorKind::Quota.status(CONVERSE), 400);
    assert_eq!(ErrorKind::BadUpstream.status(CONVERSE), 502);
}

fn asked(client: Dialect, more: &Value) -> Result<Translated, ApiError> {
    let mut body = json!({
        "max_tokens": 8000,
        "messages": [{"role": "user", "content": "Weather?"}],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    to_claude(client, &body)
}

fn to_claude(client: Dialect, body: &Value) -> Result<Translated, ApiError> {
    let capabilities = CapabilityTable::embedded().of("bedrock", CLAUDE);
    let target = Target::new(CLAUDE, &capabilities);
    Translator::new(client, CONVERSE).request(&Bytes::from(body.to_string()), &target)
}

fn sent(asked: &Translated) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

/// A turn with thoughts and a call, as its client gets it.
fn told(client: Dialect, asked: &Translated) -> Value {
    let said = fixtures::read("bedrock/converse_thinking_tools.json");
    let translator = Translator::new(client, CONVERSE);
    let answer = translator.response(&said, &asked.context).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// The thoughts of Claude as they must come back.
fn thoughts() -> [Value; 2] {
    [
        json!({"reasoningContent": {"reasoningText":
            {"text": "I need the weather.", "signature": "EqoBCkgIARABGAIiQL8="}}}),
        json!({"reasoningContent": {"redactedContent": "RW13S0FoZ0I="}}),
    ]
}

#[test]
fn thoughts_come_back_through_a_client_that_knows_only_chat() {
    let client = Dialect::OpenAiChat;
    let tools = json!([{"type": "function", "function": {"name": "get_weather"}}]);
    let first = asked(client, &json!({"tools": tools, "reasoning_effort": "high"})).unwrap();
    let message = told(client, &first)["choices"][0]["message"].clone();
    let call = &message["tool_calls"][0];
    let next = asked(
        client,
        &json!({
            "tools": tools,
            "reasoning_effort": "high",
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": null, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": call["id"], "content": "18"},
            ],
        }),
    )
    .unwrap();
    let body = sent(&next);
    let content = &body["messages"][1]["content"];
    assert_eq!(content.as_array().unwrap()[..2], thoughts());
    assert_eq!(content[2]["toolUse"]["toolUseId"], "tooluse_t");
    let result = &body["messages"][2]["content"][0]["toolResult"];
    assert_eq!(result["toolUseId"], "tooluse_t");
    let thinking = &body["additionalModelRequestFields"]["thinking"];
    assert_eq!(thinking["type"], "enabled");
    assert_eq!(next.dropped.to_string(), "");
}

#[test]
fn thoughts_come_back_through_a_client_of_messages_as_they_were() {
    let client = Dialect::AnthropicMessages;
    let tools = json!([{"name": "get_weather", "input_schema": {"type": "object"}}]);
    let thinking = json!({"type": "enabled", "budget_tokens": 2000});
    let first = asked(client, &json!({"tools": tools, "thinking": thinking})).unwrap();
    let turn = told(client, &first);
    let result = json!({"type": "tool_result", "tool_use_id": "tooluse_t", "content": "18"});
    let next = asked(
        client,
        &json!({
            "tools": tools,
            "thinking": thinking,
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": turn["content"]},
                {"role": "user", "content": [result]},
            ],
        }),
    )
    .unwrap();
    let body = sent(&next);
    let content = &body["messages"][1]["content"];
    assert_eq!(content.as_array().unwrap()[..2], thoughts());
}

#[test]
fn lost_thoughts_make_a_valid_request_not_a_400() {
    let call = json!({"id": "call_1", "type": "function",
        "function": {"name": "get_weather", "arguments": "{}"}});
    let next = asked(
        Dialect::OpenAiChat,
        &json!({
            "reasoning_effort": "high",
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": null, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "18"},
            ],
        }),
    )
    .unwrap();
    let body = sent(&next);
    assert_eq!(body["additionalModelRequestFields"], Value::Null);
    // And the tools that were called are there, though the client left them out.
    let tools = &body["toolConfig"]["tools"];
    assert_eq!(tools[0]["toolSpec"]["name"], "get_weather");
}

#[test]
fn names_and_ids_of_tools_fit_and_come_back() {
    let name = "mcp__a.server/with a long name__and_a_tool_with_an_even_longer_one_than_that";
    let tools = json!([{"type": "function", "function": {"name": name}}]);
    let asked = asked(Dialect::OpenAiChat, &json!({ "tools": tools })).unwrap();
    let spec = &sent(&asked)["toolConfig"]["tools"][0]["toolSpec"];
    let fitted = spec["name"].as_str().unwrap();
    assert!(
        fitted.len() <= 64 && !fitted.contains(['.', '/', ' ']),
        "{fitted}"
    );
    let said = json!({"output": {"message": {"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "t", "name": fitted, "input": {}}}]}},
        "stopReason": "tool_use"});
    let translator = Translator::new(Dialect::OpenAiChat, CONVERSE);
    let said = said.to_string();
    let answer = translator
        .response(said.as_bytes(), &asked.context)
        .unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains(name));
}

#[test]
fn opaque_thoughts_that_are_no_base64_survive_a_blob() {
    for data in ["Emw=", "not base64!", "EmwKAhgBEgy3va3pzix"] {
        let blob = super::response::blob(data).into_owned();
        assert!(super::response::is_blob(&blob), "{blob}");
        assert_eq!(super::response::of_blob(blob), data);
    }
}

#[test]
fn unsigned_thoughts_of_another_provider_are_kept_from_bedrock() {
    let thought = |signature: &str| json!({"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": signature}}});
    let body = json!({"messages": [
        {"role": "user", "content": [{"text": "Hi"}]},
        {"role": "assistant", "content": [thought("agentkube.bQ"), {"text": "Hello"}]},
        {"role": "user", "content": [{"text": "More"}]},
    ]});
    let stripped = strip_marked(&Bytes::from(body.to_string())).unwrap();
    let stripped: Value = serde_json::from_slice(&stripped).unwrap();
    assert_eq!(
        stripped["messages"][1]["content"],
        json!([{"text": "Hello"}])
    );
    let signed = json!({"messages": [{"role": "assistant", "content": [thought("Eq==")]}]});
    assert_eq!(strip_marked(&Bytes::from(signed.to_string())), None);
}

#[test]
fn nova_and_open_models_think_in_their_own_words() {
    let ask = |model: &str| {
        let capabilities = CapabilityTable::embedded().of("bedrock", model);
        let body = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100,
            "reasoning_effort": "high", "top_k": 9});
        let translator = Translator::new(Dialect::OpenAiChat, CONVERSE);
        let target = Target::new(model, &capabilities);
        let body = Bytes::from(body.to_string());
        let asked = translator.request(&body, &target).unwrap();
        (sent(&asked), asked.dropped.to_string())
    };
    let (nova, dropped) = ask("us.amazon.nova-2-lite-v1:0");
    let thinks = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}});
    assert_eq!(nova["additionalModelRequestFields"], thinks);
    assert_eq!(
        nova["inferenceConfig"],
        Value::Null,
        "refused at this effort"
    );
    assert!(dropped.contains("top_k") && dropped.contains("max_completion_tokens"));
    let (open, _) = ask("openai.gpt-oss-120b-1:0");
    assert_eq!(
        open["additionalModelRequestFields"],
        json!({"reasoning_effort": "high"})
    );
    let (first, dropped) = ask("amazon.nova-pro-v1:0");
    assert_eq!(
        first["additionalModelRequestFields"],
        json!({"inferenceConfig": {"topK": 9}})
    );
    assert_eq!(dropped, "reasoning_effort");
    let (llama, dropped) = ask("meta.llama3-3-70b-instruct-v1:0");
    assert_eq!(llama["additionalModelRequestFields"], Value::Null);
    assert_eq!(dropped, "reasoning_effort, top_k");
}
