//! Responses clients, and Responses providers: what went wrong elsewhere.

use serde_json::{Value, json};

use super::*;
use crate::{FailureKind, custody};

const CHAT: Dialect = Dialect::OpenAiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

/// The data of all events of a stream.
fn events(stream: &str) -> Vec<Value> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// What comes last, in a stream and in one piece.
fn both(client: Dialect, provider: Dialect, fixture: &str) -> (Value, Value) {
    let body = fixtures::read(&format!("{fixture}.sse"));
    let seen = stream(client, provider, "", &body, End::Clean);
    assert_eq!(seen.outcome, Outcome::Finished);
    let last = events(&seen.all()).pop().unwrap();
    let whole = Translator::new(client, provider)
        .response(
            &fixtures::read(&format!("{fixture}.json")),
            &context(client, provider, ""),
        )
        .unwrap();
    (
        last["response"].clone(),
        serde_json::from_slice(&whole.body).unwrap(),
    )
}

#[test]
fn a_stream_ends_with_all_of_the_answer_in_items_that_keep_their_ids() {
    let body = fixtures::read("translate/transcripts/anthropic/thinking_tools.sse");
    let seen = stream(RESPONSES, MESSAGES, "", &body, End::Clean);
    let events = events(&seen.all());
    let kinds: Vec<_> = events
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let done: Vec<&Value> = events
        .iter()
        .filter(|it| it["type"] == "response.output_item.done")
        .map(|it| &it["item"])
        .collect();
    let last = &events.last().unwrap()["response"];
    let output: Vec<&Value> = last["output"].as_array().unwrap().iter().collect();
    assert_eq!(done, output);
    for (added, done) in events
        .iter()
        .filter(|it| it["type"] == "response.output_item.added")
        .zip(done)
    {
        assert_eq!(added["item"]["id"], done["id"]);
    }
}

#[test]
fn a_stream_and_an_answer_in_one_piece_say_the_same() {
    let (mut streamed, mut whole) = both(
        RESPONSES,
        MESSAGES,
        "translate/transcripts/anthropic/thinking_tools",
    );
    for response in [&mut streamed, &mut whole] {
        assert_eq!(response["status"], "completed");
        assert!(response["usage"]["output_tokens"].as_u64().unwrap() > 0);
        for item in response["output"].as_array_mut().unwrap() {
            item["id"].take();
        }
    }
    assert_eq!(streamed["output"][0]["type"], "reasoning");
    assert_eq!(streamed["output"][0], whole["output"][0]);
}

/// LiteLLM#15601, #26916, bifrost#6342.
#[test]
fn thoughts_of_claude_come_back_byte_for_byte_and_are_never_text() {
    let model = "claude-sonnet-4-5";
    let question = json!({"input": [{"role": "user", "content": "Weather?"}],
        "tools": [{"type": "function", "name": "get_weather", "parameters": null}],
        "reasoning": {"effort": "high"}, "max_output_tokens": 8000});
    let asked = ask(RESPONSES, MESSAGES, model, question.to_string().as_bytes()).unwrap();
    let said = json!({"id": "msg_1", "content": [
            {"type": "thinking", "thinking": "Two\ncities.", "signature": "EqQB=="},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
    let answer = Translator::new(RESPONSES, MESSAGES)
        .response(said.to_string().as_bytes(), &asked.context)
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();

    let mut next = question;
    let input = next["input"].as_array_mut().unwrap();
    input.extend(answer["output"].as_array().unwrap().iter().cloned());
    // A client may leave out what is only shown.
    input[1]["summary"] = json!([]);
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "18"}));
    let again = ask(RESPONSES, MESSAGES, model, next.to_string().as_bytes()).unwrap();
    assert_eq!(again.dropped.to_string(), "");
    let sent: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(sent["messages"][1]["content"], said["content"]);
    assert_eq!(sent["thinking"]["type"], "enabled");

    // Another model is given none of it, in no form (UncommonRoute#19).
    for (provider, other) in [(MESSAGES, "claude-opus-4-5"), (CHAT, "gpt-5.1")] {
        let switched = ask(RESPONSES, provider, other, next.to_string().as_bytes()).unwrap();
        let sent = String::from_utf8(switched.body.to_vec()).unwrap();
        assert!(
            !sent.contains("cities") && !sent.contains("EqQB"),
            "{other}"
        );
        assert!(switched.dropped.refusal().is_none(), "it only replays");
    }
    let bypassed = custody::strip_sealed(&Bytes::from(next.to_string())).unwrap();
    let bypassed = String::from_utf8(bypassed.to_vec()).unwrap();
    assert!(!bypassed.contains("agentkube") && bypassed.contains("toolu_1"));
}

#[test]
fn what_openai_encrypted_comes_back_to_openai_through_any_client() {
    let body = fixtures::read("openai-responses/reasoning_tools.json");
    let asked = context(MESSAGES, RESPONSES, "");
    let answer = Translator::new(MESSAGES, RESPONSES)
        .response(&body, &asked)
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let next = json!({"max_tokens": 100, "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": [{"type": "tool_result", "content": "18",
            "tool_use_id": answer["content"][1]["id"]}]}]});
    let again = ask(MESSAGES, RESPONSES, "gpt-5.1", next.to_string().as_bytes()).unwrap();
    let sent: Value = serde_json::from_slice(&again.body).unwrap();
    let said: Value = serde_json::from_slice(&body).unwrap();
    let (sent, said) = (&sent["input"][1], &said["output"][0]);
    assert_eq!(sent["encrypted_content"], said["encrypted_content"]);
    assert_eq!(sent["id"], said["id"]);
}

#[test]
fn a_call_of_a_namespaced_tool_has_its_namespace_and_its_own_name() {
    let body = fixtures::read("translate/openai-responses/codex.json");
    let asked = ask(RESPONSES, MESSAGES, "claude-opus-4-6", &body).unwrap();
    for (flat, namespace, name) in [
        (
            "mcp__github__get_issue",
            Value::Null,
            "mcp__github__get_issue",
        ),
        (
            "mcp__github__get_issue_2",
            json!("mcp__github"),
            "get_issue",
        ),
        (
            "multi_agent_v1__wait_agent",
            json!("multi_agent_v1"),
            "wait_agent",
        ),
    ] {
        let said = json!({"id": "m", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": flat, "input": {}}],
            "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
        let answer = Translator::new(RESPONSES, MESSAGES)
            .response(said.to_string().as_bytes(), &asked.context)
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let call = &answer["output"][0];
        assert_eq!(call["namespace"], namespace);
        assert_eq!(call["name"], name);
        // What the client offered is what it reads, on one line.
        let offered: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["tools"], offered["tools"]);
    }
}

/// CLIProxyAPI#2712, teamclaude#391.
#[test]
fn an_announced_response_that_fails_at_once_can_still_fail_over() {
    for (fixture, kind) in [
        ("created_then_overloaded", FailureKind::Overloaded),
        ("error_first", FailureKind::Overloaded),
        ("failed_first", FailureKind::RateLimited),
    ] {
        let body = fixtures::read(&format!("openai-responses/{fixture}.sse"));
        let seen = stream(CHAT, RESPONSES, "", &body, End::Clean);
        assert_eq!(seen.head_failed.unwrap().kind, kind, "{fixture}");
        let mut tap = crate::Tap::new(RESPONSES, TapOptions::default());
        tap.feed(body).unwrap();
        assert!(matches!(tap.head(), Head::Failed(_)), "{fixture}");
    }
}

#[test]
fn a_failure_behind_the_first_words_is_a_failed_response_with_what_was_said() {
    let body = fixtures::read("anthropic/overloaded_mid_stream.sse");
    let seen = stream(RESPONSES, MESSAGES, "", &body, End::Clean);
    let last = events(&seen.all()).pop().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["status"], "failed");
    assert_eq!(last["response"]["error"]["code"], "server_error");
    let item = &last["response"]["output"][0];
    assert_eq!(item["status"], "incomplete");
    assert_eq!(item["content"][0]["text"], "Hello");
}

#[test]
fn an_answer_that_ran_out_of_tokens_is_incomplete_not_completed() {
    let said = br#"{"id":"m","content":[{"type":"text","text":"One."}],
        "stop_reason":"max_tokens","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = Translator::new(RESPONSES, MESSAGES)
        .response(said, &context(RESPONSES, MESSAGES, ""))
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["status"], "incomplete");
    assert_eq!(answer["incomplete_details"]["reason"], "max_output_tokens");
    let body = fixtures::read("openai-responses/length.sse");
    let seen = stream(CHAT, RESPONSES, "", &body, End::Clean);
    assert!(seen.all().contains(r#""finish_reason":"length""#));
}

#[test]
fn an_event_that_cannot_be_read_fails_the_stream() {
    let body =
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\
        \"output_index\":0,\"delta\":7}\n\n";
    let seen = stream(CHAT, RESPONSES, "", body, End::Clean);
    assert!(matches!(seen.outcome, Outcome::Failed(_)));
}

#[test]
fn what_only_its_provider_keeps_is_refused_and_never_dropped() {
    for member in ["previous_response_id", "conversation", "prompt"] {
        let body = format!(r#"{{"input":"Go on","{member}":"x_1"}}"#);
        let refused = ask(RESPONSES, MESSAGES, "m", body.as_bytes()).unwrap_err();
        assert_eq!(refused.status(RESPONSES), 400);
        assert_eq!(refused.param.as_deref(), Some(member));
        assert!(!refused.message().contains("x_1"));
        let null = format!(r#"{{"input":"Go on","{member}":null}}"#);
        assert!(ask(RESPONSES, MESSAGES, "m", null.as_bytes()).is_ok());
    }
}

#[test]
fn a_tool_that_nobody_asked_to_be_strict_is_not_made_so() {
    let body = br#"{"messages":[{"role":"user","content":"Hi"}],
        "tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let asked = ask(CHAT, RESPONSES, "gpt-5.1", body).unwrap();
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(sent["tools"][0]["strict"], false, "by itself it would be");
    assert_eq!(sent["store"], false);
}

/// A stream of Claude that calls `apply_patch`.
fn called_in_pieces(first: &str, second: &str, stop: &str) -> String {
    let mut stream = String::new();
    let mut push = |name: &str, data: Value| {
        stream.push_str(&format!("event: {name}\ndata: {data}\n\n"));
    };
    push(
        "message_start",
        json!({"type": "message_start", "message": {"id": "m"}}),
    );
    let block = json!({"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": {}});
    push(
        "content_block_start",
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
    );
    for piece in [first, second] {
        let delta = json!({"type": "input_json_delta", "partial_json": piece});
        push(
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        );
    }
    push(
        "content_block_stop",
        json!({"type": "content_block_stop", "index": 0}),
    );
    push(
        "message_delta",
        json!({"type": "message_delta", "delta": {"stop_reason": stop}}),
    );
    push("message_stop", json!({"type": "message_stop"}));
    stream
}

#[test]
fn a_custom_tool_is_called_with_plain_text() {
    let patch = "*** Begin Patch\n*** Add File: \"a\"\n*** End Patch";
    let body = json!({
        "input": "Edit a.", "store": false,
        "tools": [{"type": "custom", "name": "apply_patch", "description": "Edits files.",
                   "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin"}}],
        "tool_choice": {"type": "custom", "name": "apply_patch"},
    });
    let body = body.to_string();
    let claude = Dialect::AnthropicMessages;
    let asked = ask(RESPONSES, claude, "claude-sonnet-4-5", body.as_bytes()).unwrap();
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    let tool = &sent["tools"][0];
    assert_eq!(tool["name"], "apply_patch");
    assert_eq!(tool["input_schema"]["required"], json!(["input"]));
    let about = tool["description"].as_str().unwrap();
    assert!(about.starts_with("Edits files.") && about.ends_with("start: begin"));
    assert_eq!(sent["tool_choice"]["name"], "apply_patch");
    assert_eq!(asked.dropped.to_string(), "tools[0].format");
    let called = json!({"input": patch}).to_string();
    let whole = json!({
        "id": "m", "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [{"type": "tool_use", "id": "toolu_1", "name": "apply_patch",
                     "input": {"input": patch}}],
    });
    let translator = Translator::new(RESPONSES, claude);
    let answer = translator
        .response(whole.to_string().as_bytes(), &asked.context)
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let item = json!({"type": "custom_tool_call", "id": answer["output"][0]["id"],
                      "call_id": "toolu_1", "name": "apply_patch", "input": patch});
    assert_eq!(answer["output"][0], item);
    // The same in a stream, whatever the pieces of the arguments are.
    let stream = called_in_pieces(&called[..12], &called[12..], "tool_use");
    let tap = translator.stream(&asked.context, TapOptions::default());
    let seen = watch(tap, &[stream.as_bytes()], End::Clean).all();
    let told: Vec<Value> = seen
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let of = |kind: &str| told.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(of("response.output_item.added")["item"]["input"], "");
    assert_eq!(of("response.custom_tool_call_input.delta")["delta"], patch);
    assert_eq!(of("response.custom_tool_call_input.done")["input"], patch);
    assert_eq!(of("response.output_item.done")["item"]["input"], patch);
    let completed = &of("response.completed")["response"]["output"][0];
    assert_eq!(completed["type"], "custom_tool_call");
    assert!(!seen.contains("function_call_arguments"), "{seen}");
    // Cut by the limit of tokens: plain text would not show it.
    let cut = called_in_pieces(&called[..12], "*** Begin", "max_tokens");
    let tap = translator.stream(&asked.context, TapOptions::default());
    let seen = watch(tap, &[cut.as_bytes()], End::Clean).all();
    assert!(seen.contains("response.incomplete"), "{seen}");
    assert!(!seen.contains("*** Begin"), "{seen}");
    assert!(!seen.contains("custom_tool_call_input.done"), "{seen}");
    // And back again: `custom_tool_call` and its output are read as before.
    let again = json!({"input": [
        {"type": "message", "role": "user", "content": "Edit a."},
        completed,
        {"type": "custom_tool_call_output", "call_id": "toolu_1", "output": "Done"},
    ]});
    let again = ask(
        RESPONSES,
        claude,
        "claude-sonnet-4-5",
        again.to_string().as_bytes(),
    )
    .unwrap();
    let sent: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(
        sent["messages"][1]["content"][0]["input"],
        json!({"input": patch})
    );
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
}
