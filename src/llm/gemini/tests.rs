//! Verdicts: signatures on their way through clients that know none, and how streams
//! end.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::signature::SKIP;
use crate::capabilities::CapabilityTable;
use crate::custody::{MemoryStore, SignatureStore};
use crate::{Dialect, End, Outcome, Tap, TapOptions, Target, Translated, Translator, fixtures};

const MODEL: &str = "gemini-3-pro-preview";

fn ask(client: Dialect, model: &str, body: &Value, store: &Arc<MemoryStore>) -> Translated {
    let capabilities = CapabilityTable::embedded().of("vertex", model);
    let store: Arc<dyn SignatureStore> = Arc::<MemoryStore>::clone(store);
    let target = Target {
        tenant: "team-a/agent",
        store: Some(store),
        ..Target::new(model, &capabilities)
    };
    let body = Bytes::from(body.to_string());
    Translator::new(client, Dialect::Gemini)
        .request(&body, &target)
        .unwrap()
}

fn body_of(asked: &Translated) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

/// Two turns of an OpenAI client: what Gemini gets in the second one.
fn second_turn(answer: &[u8], first: &str, second: &str) -> (Value, String) {
    let store = Arc::new(MemoryStore::default());
    let user = json!({"role": "user", "content": "Weather?"});
    let chat = Dialect::OpenAiChat;
    let asked = ask(chat, first, &json!({"messages": [user]}), &store);
    let translator = Translator::new(chat, Dialect::Gemini);
    let said = translator.response(answer, &asked.context).unwrap();
    let said: Value = serde_json::from_slice(&said.body).unwrap();
    // All that such a client keeps.
    let calls = said["choices"][0]["message"]["tool_calls"].clone();
    let results = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "18"}));
    let mut messages = vec![user, json!({"role": "assistant", "tool_calls": calls})];
    messages.extend(results);
    let asked = ask(chat, second, &json!({ "messages": messages }), &store);
    (body_of(&asked), asked.dropped.to_string())
}

#[test]
fn a_signature_comes_back_through_a_client_that_knows_only_openai_chat() {
    let answer = fixtures::read("gemini/parallel_tools.json");
    let given: Value = serde_json::from_slice(&answer).unwrap();
    let (sent, dropped) = second_turn(&answer, MODEL, MODEL);
    let parts = &sent["contents"][1]["parts"];
    let signature = &given["candidates"][0]["content"]["parts"][1]["thoughtSignature"];
    assert_eq!(&parts[0]["thoughtSignature"], signature);
    assert_eq!(
        parts[1].get("thoughtSignature"),
        None,
        "only the first has one"
    );
    let results = &sent["contents"][2]["parts"];
    for place in [0, 1] {
        let result = &results[place]["functionResponse"];
        assert_eq!(result["id"], parts[place]["functionCall"]["id"]);
        assert_eq!(result["name"], "get_weather");
    }
    assert_eq!(dropped, "");
}

#[test]
fn a_long_signature_is_kept_in_the_store() {
    let mut given: Value = serde_json::from_slice(&fixtures::read("gemini/tools.json")).unwrap();
    let long = "A".repeat(4000);
    given["candidates"][0]["content"]["parts"][0]["thoughtSignature"] = json!(long);
    let (sent, _) = second_turn(given.to_string().as_bytes(), MODEL, MODEL);
    let call = &sent["contents"][1]["parts"][0];
    assert_eq!(call["thoughtSignature"], json!(long));
    assert_eq!(call["functionCall"]["id"], "8f2b1a3c");
}

#[test]
fn a_signature_of_another_model_is_stripped_and_said_to_be_lost() {
    let answer = fixtures::read("gemini/tools.json");
    let (sent, dropped) = second_turn(&answer, MODEL, "gemini-3-flash-preview");
    let call = &sent["contents"][1]["parts"][0];
    assert_eq!(call["thoughtSignature"], SKIP);
    assert!(dropped.contains("tool_calls[0]"), "{dropped}");
    let (sent, _) = second_turn(&answer, MODEL, "gemini-2.5-flash");
    let call = &sent["contents"][1]["parts"][0];
    assert_eq!(call.get("thoughtSignature"), None, "it never wanted one");
}

#[test]
fn a_lost_signature_is_said_to_be_lost_once_a_step() {
    let store = Arc::new(MemoryStore::default());
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "assistant", "tool_calls": [call("c")]},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
    ]});
    let sent = body_of(&ask(Dialect::OpenAiChat, MODEL, &body, &store));
    let signature = |turn: usize, part: usize| {
        sent["contents"][turn]["parts"][part]["thoughtSignature"].as_str()
    };
    assert_eq!(signature(1, 0), Some(SKIP));
    assert_eq!(signature(1, 1), None);
    assert_eq!(signature(3, 0), Some(SKIP));
    assert_eq!(sent["contents"][2]["parts"].as_array().unwrap().len(), 2);
}

fn outcome(fixture: &str, end: End) -> (Outcome, Vec<u8>) {
    let mut tap = Tap::new(Dialect::Gemini, TapOptions::default());
    tap.feed(fixtures::read(&format!("gemini/{fixture}.sse")))
        .unwrap();
    let outcome = tap.finish(end);
    let mut bytes = Vec::new();
    while let Some(more) = tap.pop() {
        bytes.extend_from_slice(&more);
    }
    (outcome, bytes)
}

#[test]
fn a_reason_and_a_clean_end_are_finished_and_nothing_is_added() {
    for fixture in [
        "text",
        "tools",
        "blocked_prompt",
        "safety",
        "malformed_call",
    ] {
        let (ended, bytes) = outcome(fixture, End::Clean);
        assert_eq!(ended, Outcome::Finished, "{fixture}");
        let sent = fixtures::read(&format!("gemini/{fixture}.sse"));
        assert_eq!(bytes, sent, "{fixture}");
        assert_eq!(
            outcome(fixture, End::Cut).0,
            Outcome::Truncated,
            "{fixture}"
        );
    }
}

#[test]
fn an_end_without_a_reason_is_truncated() {
    for fixture in ["cut", "cut_between_events", "thoughts_only"] {
        let (ended, bytes) = outcome(fixture, End::Clean);
        assert_eq!(ended, Outcome::Truncated, "{fixture}");
        let told = String::from_utf8(bytes).unwrap();
        let last = told.lines().rfind(|line| !line.is_empty()).unwrap();
        // The SDK compares the code as a number and wants the space.
        assert!(
            last.starts_with("data: {\"error\":{\"code\":502,"),
            "{last}"
        );
    }
}
