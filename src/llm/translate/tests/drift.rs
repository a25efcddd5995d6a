//! What servers send that no documentation says, one test each.

use serde_json::{Value, json};

use super::*;

const CHAT: Dialect = Dialect::OpenAiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

fn chunks(seen: &Seen) -> Vec<Value> {
    let all = seen.all();
    let data = all.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = data.filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn what_azures_filters_say_first_is_no_beginning() {
    let body = fixtures::read("openai/azure_filtered.sse");
    let seen = stream(MESSAGES, CHAT, "", &body, End::Clean);
    let told = chunks(&seen);
    let starts = told.iter().filter(|it| it["type"] == "message_start");
    let ids: Vec<_> = starts.map(|it| &it["message"]["id"]).collect();
    assert_eq!(ids, ["chatcmpl-Azure1"]);
    let delta = told.iter().find(|it| it["type"] == "message_delta");
    assert_eq!(delta.unwrap()["delta"]["stop_reason"], "refusal");
    assert_eq!(seen.outcome, Outcome::Finished);
    assert_eq!(seen.usage.counts().unwrap().input, 9);

    let first: &[u8] = body.split_inclusive(|it| *it == b'\n').next().unwrap();
    let mut tap = crate::Tap::new(CHAT, TapOptions::default());
    let event = [first, b"\n"].concat();
    tap.feed(Bytes::from(event)).unwrap();
    assert_eq!(
        tap.head(),
        Head::Awaited,
        "another upstream may still serve"
    );
}

#[test]
fn a_message_that_starts_twice_starts_once() {
    let start =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n";
    let rest = fixtures::read("anthropic/messages_text.sse");
    let body = [start.as_bytes(), &rest].concat();
    let seen = stream(CHAT, MESSAGES, "", &body, End::Clean);
    let roles = chunks(&seen);
    let roles = roles
        .iter()
        .filter(|it| it["choices"][0]["delta"]["role"] == "assistant");
    assert_eq!(roles.count(), 1);
    assert_eq!(seen.outcome, Outcome::Finished);
}

#[test]
fn thoughts_of_a_compatible_server_come_back_to_it_over_turns() {
    let capabilities = CapabilityTable::embedded().of("vllm", "deepseek-r1");
    let ask = |body: &Value| {
        let target = Target::new("deepseek-r1", &capabilities);
        let body = Bytes::from(body.to_string());
        Translator::new(MESSAGES, CHAT)
            .request(&body, &target)
            .unwrap()
    };
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let user = json!({"role": "user", "content": "Hi"});
    let asked = ask(&json!({"max_tokens": 9, "tools": tools, "messages": [user]}));
    let said = br#"{"id":"c","choices":[{"index":0,"finish_reason":"tool_calls","message":{
        "role":"assistant","reasoning_content":"Hm, the tool.","content":null,
        "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let told = Translator::new(MESSAGES, CHAT).response(said, &asked.context);
    let told: Value = serde_json::from_slice(&told.unwrap().body).unwrap();
    let result = json!({"type": "tool_result", "tool_use_id": "call_1", "content": "18"});
    let again = ask(&json!({"max_tokens": 9, "tools": tools, "messages": [
        user,
        {"role": "assistant", "content": told["content"]},
        {"role": "user", "content": [result]},
    ]}));
    let sent: Value = serde_json::from_slice(&again.body).unwrap();
    let turn = &sent["messages"][1];
    assert_eq!(turn["reasoning_content"], "Hm, the tool.");
    assert_eq!(turn["tool_calls"][0]["id"], "call_1");
    assert!(again.dropped.is_empty(), "{}", again.dropped);
}
