//! What went wrong elsewhere, one test each.

use serde_json::Value;

use super::*;
use crate::{FailureKind, Usage};

const CHAT: Dialect = Dialect::OpenAiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const WITH_USAGE: &str = r#""stream_options":{"include_usage":true},"#;

/// The data of all events of a stream, terminators left out.
fn events(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Of a chat stream: the first choice's deltas.
fn deltas(stream: &str) -> Vec<Value> {
    let chunks = events(stream);
    chunks
        .iter()
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .filter(Value::is_object)
        .collect()
}

fn chat_stream(chunks: &[&str]) -> Vec<u8> {
    let mut body = String::new();
    for chunk in chunks {
        body.push_str("data: ");
        body.push_str(chunk);
        body.push_str("\n\n");
    }
    body.push_str("data: [DONE]\n\n");
    body.into_bytes()
}

fn calls(delta: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"tool_calls":[{delta}]}}}}]}}"#)
}

#[test]
fn every_chunk_carries_the_answers_own_id_model_and_time() {
    let body = fixtures::read("anthropic/messages_tools.sse");
    let seen = stream(CHAT, MESSAGES, "", &body, End::Clean);
    let chunks = events(&seen.all());
    assert!(chunks.len() > 5);
    for chunk in chunks {
        assert_eq!(chunk["id"], "msg_01Aq9w938a90dw8q");
        assert_eq!(chunk["model"], "served-model");
        assert_eq!(chunk["created"], 1_700_000_000);
        assert_eq!(chunk["choices"][0]["index"], 0, "not the index of a block");
    }
}

#[test]
fn arguments_are_whole_json_for_each_call_and_never_begin_twice() {
    let body = fixtures::read("anthropic/messages_tools.sse");
    let seen = stream(CHAT, MESSAGES, "", &body, End::Clean);
    let mut arguments = [String::new(), String::new()];
    for delta in deltas(&seen.all()) {
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            arguments[at].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(
        arguments[0],
        r#"{"location": "San Francisco,", "unit": "fahrenheit"}"#
    );
    assert_eq!(
        arguments[1], "{}",
        "a call without arguments has none, not nothing"
    );
}

#[test]
fn later_text_does_not_overwrite_earlier_text() {
    let body =
        br#"{"id":"m","content":[{"type":"text","text":"One. "},{"type":"text","text":"Two."}],
        "stop_reason":"max_tokens","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = Translator::new(CHAT, MESSAGES)
        .response(body, &context(CHAT, MESSAGES, ""))
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "One. Two.");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

#[test]
fn a_failed_generation_never_looks_complete() {
    for (client, provider, fixture) in [
        (CHAT, MESSAGES, "anthropic/overloaded_mid_stream.sse"),
        (MESSAGES, CHAT, "openai/error_mid_stream.sse"),
        (MESSAGES, CHAT, "openai/vllm_error_then_done.sse"),
    ] {
        let seen = stream(client, provider, "", &fixtures::read(fixture), End::Clean);
        assert!(matches!(seen.outcome, Outcome::Failed(_)), "{fixture}");
        assert!(seen.all().contains("\"error\""), "{fixture}");
        assert!(!seen.all().contains("[DONE]") && !seen.all().contains("message_stop"));
        assert_eq!(seen.head_failed, None);
    }
}

#[test]
fn an_upstream_that_is_cut_is_truncated_in_the_clients_dialect() {
    for (client, provider, fixture) in [
        (CHAT, MESSAGES, "anthropic/cut.sse"),
        (MESSAGES, CHAT, "openai/cut.sse"),
    ] {
        let seen = stream(client, provider, "", &fixtures::read(fixture), End::Cut);
        assert_eq!(seen.outcome, Outcome::Truncated);
        assert!(
            seen.appended
                .contains("the connection to the upstream broke")
        );
        assert!(!seen.all().contains("[DONE]") && !seen.all().contains("message_stop"));
    }
}

#[test]
fn an_error_first_under_a_200_can_still_fail_over() {
    for (client, provider, fixture) in [
        (CHAT, MESSAGES, "anthropic/overloaded_first.sse"),
        (CHAT, MESSAGES, "anthropic/ping_then_overloaded.sse"),
        (MESSAGES, CHAT, "openai/error_first.sse"),
    ] {
        let seen = stream(client, provider, "", &fixtures::read(fixture), End::Clean);
        let failure = seen.head_failed.unwrap();
        assert_eq!(failure.kind, FailureKind::Overloaded, "{fixture}");
    }
}

#[test]
fn a_finish_reason_and_a_clean_end_get_their_terminator() {
    let body = fixtures::read("openai/chat_no_done.sse");
    let seen = stream(MESSAGES, CHAT, "", &body, End::Clean);
    assert_eq!(seen.outcome, Outcome::Finished);
    assert!(
        seen.all()
            .ends_with("data: {\"type\":\"message_stop\"}\n\n")
    );
}

#[test]
fn usage_that_only_comes_at_the_end_is_not_zero() {
    let body = fixtures::read("anthropic/usage_on_delta_only.sse");
    let seen = stream(CHAT, MESSAGES, WITH_USAGE, &body, End::Clean);
    let usage = events(&seen.all()).last().unwrap()["usage"].clone();
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 0, "{usage}");
    assert!(matches!(seen.usage, UsageReport::Final(_)));
}

#[test]
fn drifted_usage_is_unreadable_and_no_zero_is_told() {
    let body = fixtures::read("anthropic/drifted_usage.sse");
    let seen = stream(CHAT, MESSAGES, WITH_USAGE, &body, End::Clean);
    assert_eq!(seen.usage, UsageReport::Unreadable);
    assert!(!seen.all().contains("prompt_tokens"));
}

#[test]
fn usage_is_told_to_those_who_asked_and_counted_for_all() {
    let body = fixtures::read("anthropic/messages_text.sse");
    let asked = stream(CHAT, MESSAGES, WITH_USAGE, &body, End::Clean);
    let silent = stream(CHAT, MESSAGES, "", &body, End::Clean);
    assert!(
        asked
            .all()
            .contains("\"choices\":[],\"usage\":{\"prompt_tokens\"")
    );
    assert!(!silent.all().contains("usage"));
    assert_eq!(asked.usage, silent.usage);
}

#[test]
fn cached_tokens_are_counted_once_in_both_conventions() {
    let usage = Usage {
        input: 2009,
        cached_input: 1800,
        cache_write: 188,
        output: 393,
        reasoning: 0,
    };
    let body = fixtures::read("anthropic/messages_cached.json");
    let answer = Translator::new(CHAT, MESSAGES)
        .response(&body, &context(CHAT, MESSAGES, ""))
        .unwrap();
    assert_eq!(answer.usage, UsageReport::Final(usage));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["usage"]["prompt_tokens"], 2009);
    assert_eq!(
        told["usage"]["prompt_tokens_details"]["cached_tokens"],
        1800
    );
    let body = fixtures::read("openai/chat_cached.json");
    let answer = Translator::new(MESSAGES, CHAT)
        .response(&body, &context(MESSAGES, CHAT, ""))
        .unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["usage"]["input_tokens"], 86);
    assert_eq!(told["usage"]["cache_read_input_tokens"], 1920);
}

#[test]
fn parallel_calls_that_overlap_are_streamed_one_after_the_other() {
    let body = chat_stream(&[
        &calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#),
        &calls(r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":"}}"#),
        &calls(r#"{"index":0,"function":{"arguments":"1}"}}"#),
        &calls(r#"{"index":1,"function":{"arguments":"2}"}}"#),
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ]);
    let seen = stream(MESSAGES, CHAT, "", &body, End::Clean);
    let told: Vec<String> = events(&seen.all())
        .iter()
        .filter(|event| event["index"].is_u64())
        .map(|event| {
            let delta = event["delta"]["partial_json"].as_str().unwrap_or_default();
            let name = event["content_block"]["name"].as_str().unwrap_or_default();
            format!("{}{name}{delta}", event["index"])
        })
        .collect();
    assert_eq!(
        told,
        ["0f", r#"0{"x":"#, "01}", "0", "1g", r#"1{"y":"#, "12}", "1"]
    );
}

#[test]
fn calls_of_servers_that_number_all_of_them_0_stay_apart() {
    let body = chat_stream(&[
        &calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#),
        &calls(r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#),
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ]);
    let seen = stream(MESSAGES, CHAT, "", &body, End::Clean);
    assert_eq!(seen.all().matches("\"type\":\"tool_use\"").count(), 2);
    assert!(
        seen.all().contains("\"stop_reason\":\"tool_use\""),
        "a client that reads end_turn would not run them"
    );
}

#[test]
fn a_call_without_an_id_gets_one_that_is_its_own() {
    let body = chat_stream(&[
        &calls(r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#),
        &calls(r#"{"index":1,"function":{"name":"f","arguments":"{}"}}"#),
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ]);
    let seen = stream(MESSAGES, CHAT, "", &body, End::Clean);
    assert!(seen.all().contains("\"id\":\"call_c_0_0\""));
    assert!(seen.all().contains("\"id\":\"call_c_0_1\""));
}

#[test]
fn an_event_that_cannot_be_read_fails_the_stream() {
    let body = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\"0\"}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let seen = stream(CHAT, MESSAGES, "", body.as_bytes(), End::Clean);
    let Outcome::Failed(failure) = seen.outcome else {
        panic!("{:?}", seen.outcome);
    };
    assert_eq!(failure.code.as_deref(), Some("unreadable_event"));
}

#[test]
fn an_answer_of_another_shape_never_reaches_the_client() {
    let chat = Translator::new(CHAT, MESSAGES);
    for body in [
        &b"{\"id\":\"x\",\"secret\":1}"[..],
        br#"{"content":[{"type":"text"}],"stop_reason":"end_turn"}"#,
        br#"{"content":[]}"#,
    ] {
        let failure = chat
            .response(body, &context(CHAT, MESSAGES, ""))
            .unwrap_err();
        assert_eq!(failure.code.as_deref(), Some("unreadable_answer"));
    }
    let messages = Translator::new(MESSAGES, CHAT);
    let failure = messages
        .response(b"{\"choices\":[]}", &context(MESSAGES, CHAT, ""))
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ServerError);
}

#[test]
fn arguments_that_are_no_json_are_not_lost() {
    let body = br#"{"id":"c","choices":[{"index":0,"message":{"tool_calls":[
        {"id":"a","function":{"name":"f","arguments":"{oops"}}]},"finish_reason":"tool_calls"}]}"#;
    let answer = Translator::new(MESSAGES, CHAT)
        .response(body, &context(MESSAGES, CHAT, ""))
        .unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["content"][0]["input"]["unreadable_arguments"], "{oops");
}

#[test]
fn replayed_thoughts_never_become_visible_text() {
    let body =
        br#"{"max_tokens":100,"messages":[{"role":"user","content":"Hi"},{"role":"assistant",
        "content":[{"type":"thinking","thinking":"SECRET","signature":"Eq=="},
        {"type":"redacted_thinking","data":"SECRET"},{"type":"text","text":"Hello"}]},
        {"role":"user","content":"Go on"}]}"#;
    for (provider, model) in [
        (CHAT, "gpt-5.1"),
        (CHAT, "gpt-4o"),
        (CHAT, "some-other-model"),
        (Dialect::OpenAiResponses, "gpt-5.1"),
        (Dialect::OpenAiResponses, "some-other-model"),
        (Dialect::Gemini, "gemini-3-pro"),
        (Dialect::Gemini, "gemini-2.5-flash"),
        (Dialect::OllamaChat, "qwen3"),
        (Dialect::BedrockConverse, "us.amazon.nova-2-lite-v1:0"),
        (Dialect::BedrockConverse, "openai.gpt-oss-120b-1:0"),
    ] {
        let asked = ask(MESSAGES, provider, model, body).unwrap();
        let text = String::from_utf8(asked.body.to_vec()).unwrap();
        assert!(text.contains("Hello"), "{model}: {text}");
        let visible = text.contains("SECRET") && !is_a_thought(&text);
        assert!(!visible, "{model}: {text}");
        assert_eq!(asked.dropped.refusal(), None, "the client cannot mend it");
    }
    let asked = ask(MESSAGES, CHAT, "gpt-5.1", body).unwrap();
    assert_eq!(
        asked.dropped.to_string(),
        "messages[1].content[0], messages[1].content[1]"
    );
}

/// Where the wire has a place for thoughts that is not the answer's.
fn is_a_thought(text: &str) -> bool {
    let body: Value = serde_json::from_str(text).unwrap();
    body["messages"][1]["content"][0]["reasoningContent"].is_object()
}

#[test]
fn strict_translation_refuses_what_lenient_translation_names() {
    let body = br#"{"max_tokens":9,"top_k":4,"system":[{"type":"text","text":"S",
        "cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Hi"}]}"#;
    let asked = ask(MESSAGES, CHAT, "gpt-4o", body).unwrap();
    assert_eq!(asked.dropped.to_string(), "system[0].cache_control, top_k");
    let refusal = asked.dropped.refusal().unwrap();
    assert_eq!(refusal.status(MESSAGES), 400);
    assert!(refusal.message().contains("system[0].cache_control, top_k"));
}

#[test]
fn a_wrong_request_is_a_400_that_names_the_field_and_quotes_nothing() {
    for (client, provider, body, param) in [
        (
            CHAT,
            MESSAGES,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"SECRET"}}]}]}"#,
            "messages[0].content[0].image_url.url",
        ),
        (
            CHAT,
            MESSAGES,
            r#"{"messages":[{"content":"SECRET"}]}"#,
            "messages[0].role",
        ),
        (
            CHAT,
            MESSAGES,
            r#"{"messages":[{"role":"user","content":{"SECRET":1}}]}"#,
            "messages[0].content",
        ),
        (
            CHAT,
            MESSAGES,
            r#"{"messages":[],"tool_choice":"SECRET"}"#,
            "tool_choice",
        ),
        (
            CHAT,
            MESSAGES,
            r#"{"messages":[],"temperature":"SECRET"}"#,
            "temperature",
        ),
        (
            MESSAGES,
            CHAT,
            r#"{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","name":"SECRET"}]}]}"#,
            "messages[0].content[0].id",
        ),
        (MESSAGES, CHAT, r#"{"messages":[]}"#, "max_tokens"),
        (
            MESSAGES,
            CHAT,
            r#"{"max_tokens":1,"messages":[],"tools":[{"name":7}]}"#,
            "tools[0].name",
        ),
    ] {
        let refused = ask(client, provider, "m", body.as_bytes()).unwrap_err();
        assert_eq!(refused.status(client), 400);
        assert!(
            refused.message().contains(&format!("`{param}`")),
            "{}",
            refused.message()
        );
        assert!(!refused.message().contains("SECRET"));
        assert_eq!(refused.param.as_deref(), Some(param));
    }
}

#[test]
fn a_message_of_which_nothing_is_left_is_refused_not_sent_empty() {
    let body = br#"{"messages":[{"role":"user","content":[{"type":"input_audio",
        "input_audio":{"data":"UklG","format":"wav"}}]}]}"#;
    let refused = ask(CHAT, MESSAGES, "claude-haiku-4-5", body).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("messages[0]"));
}

#[test]
fn a_tool_name_that_had_to_be_shortened_comes_back_whole() {
    let long = format!("mcp__{}", "x".repeat(80));
    let body = format!(
        r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}],
            "tools":[{{"name":"{long}","input_schema":{{"type":"object"}}}}]}}"#
    );
    let asked = ask(MESSAGES, CHAT, "gpt-4o", body.as_bytes()).unwrap();
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    let short = sent["tools"][0]["function"]["name"].as_str().unwrap();
    assert_eq!(short.len(), 64);
    let said = chat_stream(&[
        &calls(&format!(
            r#"{{"index":0,"id":"a","function":{{"name":"{short}","arguments":"{{}}"}}}}"#
        )),
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ]);
    let tap = Translator::new(MESSAGES, CHAT).stream(&asked.context, TapOptions::default());
    assert!(watch(tap, &[&said], End::Clean).all().contains(&long));
}

#[test]
fn calls_of_answers_without_an_id_are_told_apart_over_turns() {
    let answers: [(Dialect, &[u8]); 3] = [
        (
            Dialect::Gemini,
            br#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}"#,
        ),
        (
            CHAT,
            br#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f"}}]}}]}"#,
        ),
        (
            Dialect::OllamaChat,
            br#"{"message":{"tool_calls":[{"function":{"name":"f"}}]},"done":true}"#,
        ),
    ];
    for (provider, answer) in answers {
        let id = |turn: &str| {
            let capabilities = CapabilityTable::embedded().of("p", "m");
            let target = Target {
                id: turn,
                ..Target::new("m", &capabilities)
            };
            let translator = Translator::new(MESSAGES, provider);
            let body = Bytes::from(least(MESSAGES, ""));
            let asked = translator.request(&body, &target).unwrap();
            let said = translator.response(answer, &asked.context).unwrap();
            let said: Value = serde_json::from_slice(&said.body).unwrap();
            said["content"][0]["id"].as_str().unwrap().to_owned()
        };
        assert_ne!(id("agentkube-1"), id("agentkube-2"), "{provider:?}");
        assert_eq!(id("agentkube-1"), id("agentkube-1"), "{provider:?}");
    }
}

#[test]
fn debug_prints_no_prompt() {
    let asked = ask(CHAT, MESSAGES, "m", &least(CHAT, r#""user":"SECRET","#)).unwrap();
    assert!(!format!("{:?}", asked.context).contains("SECRET"));
}

#[test]
fn a_model_that_must_call_a_tool_is_not_asked_to_think() {
    for (provider, model, thinks) in [
        (MESSAGES, "claude-sonnet-4-5", false),
        (MESSAGES, "claude-opus-4-6", false),
        (MESSAGES, "claude-opus-4-7", false),
        (MESSAGES, "claude-opus-5", true),
        (
            Dialect::BedrockConverse,
            "us.anthropic.claude-opus-4-7-v1:0",
            false,
        ),
    ] {
        let body = |choice: &str| {
            format!(
                r#"{{"reasoning_effort":"high","max_tokens":9000,"tool_choice":"{choice}",
                "tools":[{{"type":"function","function":{{"name":"f"}}}}],
                "messages":[{{"role":"user","content":"Hi"}}]}}"#
            )
        };
        let asked = |choice: &str| {
            let asked = ask(CHAT, provider, model, body(choice).as_bytes()).unwrap();
            let sent: Value = serde_json::from_slice(&asked.body).unwrap();
            let thinking = [
                &sent["thinking"],
                &sent["additionalModelRequestFields"]["thinking"],
            ];
            let is_asked = thinking.iter().any(|it| it.is_object());
            (is_asked, asked.dropped.to_string())
        };
        assert_eq!(asked("auto"), (true, String::new()), "{model}");
        let told = if thinks { "" } else { "reasoning_effort" };
        assert_eq!(asked("required"), (thinks, told.to_owned()), "{model}");
    }
}

#[test]
fn a_model_may_have_greeted_first() {
    let body = br#"{"max_tokens":9,"messages":[{"role":"system","content":"S"},
        {"role":"assistant","content":"How can I help?"},{"role":"user","content":"Hi"}]}"#;
    for (provider, model) in [
        (MESSAGES, "claude-opus-4-7"),
        (Dialect::BedrockConverse, "us.amazon.nova-2-lite-v1:0"),
    ] {
        let asked = ask(CHAT, provider, model, body).unwrap();
        let sent: Value = serde_json::from_slice(&asked.body).unwrap();
        let roles: Vec<&Value> = sent["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["role"])
            .collect();
        assert_eq!(roles, ["user", "assistant", "user"], "{model}");
        let said = &sent["messages"][1]["content"][0]["text"];
        assert_eq!(said, "How can I help?");
        assert!(asked.dropped.is_empty(), "{model}");
    }
}

#[test]
fn what_a_model_shall_continue_does_not_end_in_white_space() {
    let body = br#"{"max_tokens":9,"messages":[{"role":"user","content":"A poem"},
        {"role":"assistant","content":"Roses are \n"}]}"#;
    for (provider, model) in [
        (MESSAGES, "claude-sonnet-4-5"),
        (
            Dialect::BedrockConverse,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ] {
        let asked = ask(CHAT, provider, model, body).unwrap();
        let sent: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(sent["messages"][1]["content"][0]["text"], "Roses are");
    }
}

#[test]
fn a_tool_of_an_mcp_server_with_a_choice_at_its_root_is_taken() {
    let schema = r#"{"type":"object","anyOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},
        {"properties":{"b":{"type":"string"}},"required":["b"]}]}"#;
    let chat = format!(
        r#"{{"max_tokens":100,"messages":[{{"role":"user","content":"Hi"}}],
        "tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
    );
    let messages = format!(
        r#"{{"max_tokens":100,"messages":[{{"role":"user","content":"Hi"}}],
        "tools":[{{"name":"f","input_schema":{schema}}}]}}"#
    );
    let sent = |client, provider, model, body: &str, at: &str| {
        let asked = ask(client, provider, model, body.as_bytes()).unwrap();
        let sent: Value = serde_json::from_slice(&asked.body).unwrap();
        assert!(asked.dropped.is_empty(), "{model}");
        sent.pointer(at).unwrap().clone()
    };
    for (client, provider, model, body, at) in [
        (
            CHAT,
            MESSAGES,
            "claude-opus-4-7",
            &chat,
            "/tools/0/input_schema",
        ),
        (
            CHAT,
            Dialect::BedrockConverse,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            &chat,
            "/toolConfig/tools/0/toolSpec/inputSchema/json",
        ),
        (
            MESSAGES,
            CHAT,
            "gpt-5.1",
            &messages,
            "/tools/0/function/parameters",
        ),
        (
            MESSAGES,
            Dialect::OpenAiResponses,
            "gpt-5.6",
            &messages,
            "/tools/0/parameters",
        ),
    ] {
        let found = sent(client, provider, model, body, at);
        assert_eq!(found.get("anyOf"), None, "{model}");
        assert_eq!(found["properties"].as_object().unwrap().len(), 2, "{model}");
    }
    let as_it_is = sent(
        CHAT,
        Dialect::Gemini,
        "gemini-3-pro",
        &chat,
        "/tools/0/functionDeclarations/0/parametersJsonSchema",
    );
    assert!(as_it_is["anyOf"].is_array());
}
