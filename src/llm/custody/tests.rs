//! Round trips through clients that know only OpenAI chat.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::capabilities::CapabilityTable;
use crate::{ApiError, Dialect, End, TapOptions, Target, Translated, Translator};

const MODEL: &str = "claude-sonnet-4-5";

fn translator() -> Translator {
    Translator::new(Dialect::OpenAiChat, Dialect::AnthropicMessages)
}

fn ask(
    model: &str,
    tenant: &str,
    store: Option<Arc<dyn SignatureStore>>,
    body: &Value,
) -> Result<Translated, ApiError> {
    let capabilities = CapabilityTable::embedded().of("anthropic", model);
    let target = Target {
        store,
        tenant,
        ..Target::new(model, &capabilities)
    };
    translator().request(&Bytes::from(body.to_string()), &target)
}

fn question() -> Value {
    json!({
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
        "reasoning_effort": "high",
        "max_tokens": 8000,
    })
}

/// What the model said: thoughts, a word, two calls.
fn said(thinking: &str, signature: &str) -> Bytes {
    let answer = json!({
        "id": "msg_1",
        "content": [
            {"type": "thinking", "thinking": thinking, "signature": signature},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "Rome"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    });
    Bytes::from(answer.to_string())
}

/// The next request of a client that keeps what OpenAI documents, and no more.
fn replay(message: &Value) -> Value {
    let calls = message["tool_calls"].as_array().unwrap();
    let mut request = question();
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({
        "role": "assistant",
        "content": message["content"],
        "tool_calls": calls,
    }));
    for call in calls {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "18"}));
    }
    request
}

fn message(answer: &Bytes, asked: &Translated) -> Value {
    let told = translator().response(answer, &asked.context).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    told["choices"][0]["message"].clone()
}

fn sent(asked: &Translated) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

fn store() -> Option<Arc<dyn SignatureStore>> {
    Some(Arc::new(MemoryStore::default()))
}

fn turn(thinking: &str, signature: &str) -> Value {
    json!([
        {"type": "thinking", "thinking": thinking, "signature": signature},
        {"type": "redacted_thinking", "data": "Emw="},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "Rome"}},
    ])
}

#[test]
fn short_thoughts_survive_in_the_id_without_any_store() {
    let thinking = "Hm, \"two\" cities.\n";
    let asked = ask(MODEL, "t", None, &question()).unwrap();
    let message = message(&said(thinking, "EqQB=="), &asked);
    let id = message["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("ak1_") && id.len() <= 512);
    assert_eq!(message["tool_calls"][1]["id"], "toolu_2", "once is enough");
    let again = ask(MODEL, "t", None, &replay(&message)).unwrap();
    let body = sent(&again);
    assert_eq!(body["messages"][1]["content"], turn(thinking, "EqQB=="));
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
    assert_eq!(body["thinking"]["type"], "enabled");
    assert!(again.dropped.is_empty());
}

#[test]
fn long_thoughts_survive_in_the_store() {
    let (thinking, signature) = ("x".repeat(5000), "S".repeat(3000));
    let store = store();
    let asked = ask(MODEL, "t", store.clone(), &question()).unwrap();
    let message = message(&said(&thinking, &signature), &asked);
    assert_eq!(message["tool_calls"][0]["id"], "ak2_toolu_1");
    let again = ask(MODEL, "t", store, &replay(&message)).unwrap();
    let body = sent(&again);
    assert_eq!(body["messages"][1]["content"], turn(&thinking, &signature));
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
}

#[test]
fn a_stream_seals_as_an_answer_in_one_piece_does() {
    let asked = ask(MODEL, "t", None, &question()).unwrap();
    let stream = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"H\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"m\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"EqQB\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n",
    );
    let mut tap = translator().stream(&asked.context, TapOptions::default());
    tap.feed(Bytes::from(stream)).unwrap();
    tap.finish(End::Cut);
    let told: Vec<u8> = std::iter::from_fn(|| tap.pop()).flatten().collect();
    let told = String::from_utf8(told).unwrap();
    let id = told.split("\"id\":\"ak1_").nth(1).unwrap();
    let id = format!("ak1_{}", id.split('"').next().unwrap());
    let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let again = replay(&json!({"content": null, "tool_calls": [call]}));
    let body = sent(&ask(MODEL, "t", None, &again).unwrap());
    assert_eq!(
        body["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "Hm", "signature": "EqQB"})
    );
}

#[test]
fn lost_thoughts_make_a_valid_request_not_a_400() {
    let asked = ask(MODEL, "t", store(), &question()).unwrap();
    let message = message(&said(&"x".repeat(5000), "S"), &asked);
    // Another replica, a restart, or a caller who is somebody else.
    for (tenant, store) in [("t", store()), ("t", None), ("other", asked_store(&asked))] {
        let again = ask(MODEL, tenant, store, &replay(&message)).unwrap();
        let body = sent(&again);
        assert_eq!(body["messages"][1]["content"][1]["id"], "toolu_1");
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
        assert_eq!(
            body["thinking"],
            Value::Null,
            "thinking would want the thoughts"
        );
        assert_eq!(again.dropped.refusal(), None);
    }
}

fn asked_store(asked: &Translated) -> Option<Arc<dyn SignatureStore>> {
    asked.context.store()
}

#[test]
fn thoughts_of_another_model_are_stripped_and_the_request_stays_valid() {
    let asked = ask("claude-opus-4-5", "t", None, &question()).unwrap();
    let message = message(&said("Hm", "EqQB"), &asked);
    let again = ask(MODEL, "t", None, &replay(&message)).unwrap();
    let body = sent(&again);
    let text = again.body.to_vec();
    for theirs in [&b"EqQB"[..], b"Emw="] {
        assert!(memchr::memmem::find(&text, theirs).is_none());
    }
    assert_eq!(body["thinking"], Value::Null);
    assert!(!again.dropped.is_empty());
    assert_eq!(again.dropped.refusal(), None, "the client cannot mend it");
}

#[test]
fn adaptive_thinking_goes_on_without_the_lost_thoughts() {
    let mut request = replay(&json!({"content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    ]}));
    request["reasoning_effort"] = json!("high");
    let body = sent(&ask("claude-opus-4-7", "t", None, &request).unwrap());
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
}

#[test]
fn the_signature_of_a_call_is_sealed_with_it() {
    let seal = Seal {
        store: None,
        tenant: String::from("t"),
        model: String::from("gemini-3-pro"),
    };
    let id = seal.id(
        "call_1",
        Vec::new(),
        Some(String::from("thought-signature")),
    );
    let mut request = crate::ir::ChatRequest::new(Dialect::OpenAiChat);
    let call = crate::ir::Content::ToolCall {
        id,
        name: String::from("f"),
        arguments: String::from("{}"),
        signature: None,
    };
    request.messages.push(crate::ir::Message {
        role: crate::ir::Role::Assistant,
        blocks: vec![crate::ir::Block::new(call, crate::ir::At::default())],
        name: None,
        at: crate::ir::At::default(),
    });
    restore(&mut request, &seal);
    let crate::ir::Content::ToolCall { id, signature, .. } = &request.messages[0].blocks[0].content
    else {
        panic!("the call is gone");
    };
    assert_eq!(id, "call_1");
    let signature = signature.as_ref().unwrap();
    assert_eq!(signature.value, "thought-signature");
    assert_eq!(signature.model.as_deref(), Some("gemini-3-pro"));
}

#[test]
fn sealed_ids_are_unwrapped_before_an_upstream_of_the_clients_dialect() {
    let asked = ask(MODEL, "t", None, &question()).unwrap();
    let message = message(&said("Hm", "EqQB"), &asked);
    let body = Bytes::from(replay(&message).to_string());
    let plain = unwrap_ids(&body).unwrap();
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(plain["messages"][1]["tool_calls"][0]["id"], "toolu_1");
    assert_eq!(plain["messages"][2]["tool_call_id"], "toolu_1");
    assert_eq!(plain["messages"][2]["content"], "18");
    let long = Bytes::from_static(br#"{"id":"ak2_toolu_9","x":"ak1_no seal","y":"ak"}"#);
    assert_eq!(
        unwrap_ids(&long).unwrap(),
        r#"{"id":"toolu_9","x":"ak1_no seal","y":"ak"}"#
    );
    assert_eq!(
        unwrap_ids(&Bytes::from_static(br#"{"id":"toolu_9"}"#)),
        None
    );
    assert_eq!(unwrap_ids(&Bytes::from_static(br#"{"id":"ak1_"#)), None);
    let quoted = Bytes::from_static(br#"{"content":"log: {\"id\":\"ak2_toolu_1\"}"}"#);
    assert_eq!(unwrap_ids(&quoted), None, "a text about an id is no id");
}

#[test]
fn unsigned_thoughts_of_another_provider_are_kept_from_anthropic() {
    let body = json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": mark("deepseek-v4")},
            {"type": "text", "text": "Hello"},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": mark("deepseek-v4")},
        ]},
    ]});
    let stripped = strip_marked(&Bytes::from(body.to_string())).unwrap();
    let stripped: Value = serde_json::from_slice(&stripped).unwrap();
    assert_eq!(stripped["messages"].as_array().unwrap().len(), 2);
    assert_eq!(stripped["messages"][1]["content"][0]["text"], "Hello");
    let quoted = Bytes::from_static(br#"{"messages":[{"role":"user","content":"\"agentkube.x"}]}"#);
    assert_eq!(strip_marked(&quoted), None);
}
