//! The scripted provider's OpenAI Responses and embeddings.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES, openai};
use crate::{Reply, Request};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "text/event-stream",
    check,
    text: |model| answer(model, vec![message()]),
    tools: |model| answer(model, vec![call()]),
    thinking: |model, answered| {
        let last = if answered { message() } else { call() };
        answer(model, vec![thought(), last])
    },
    failure,
};

const ARGUMENTS: [&str; 2] = ["{\"city\":", "\"Paris\"}"];

/// What only this provider can decrypt.
const ENCRYPTED: &str = "gAAAAABtestkit";

/// The vector of every text, and the same as little-endian floats in base64.
const VECTOR: [f32; 3] = [0.5, -1.0, 0.25];
const PACKED: &str = "AAAAPwAAgL8AAIA+";

/// An item, and what comes between its beginning and its end.
struct Item {
    whole: Value,
    begun: Value,
    events: Vec<Value>,
    /// The place of the first piece in `events`.
    piece: Option<usize>,
}

/// OpenAI decrypts what it encrypted, and nothing else.
fn check(request: &Request) -> Option<Failure> {
    let body = request.json();
    let items = body["input"].as_array().cloned().unwrap_or_default();
    let strange = |item: &Value| {
        item["encrypted_content"]
            .as_str()
            .is_some_and(|it| it != ENCRYPTED)
    };
    let too_long = |item: &Value| item["call_id"].as_str().is_some_and(|id| id.len() > 64);
    let (code, message) = if items.iter().any(strange) {
        (
            "invalid_encrypted_content",
            "The encrypted content could not be verified.",
        )
    } else if items.iter().any(too_long) {
        ("string_above_max_length", "Invalid 'call_id'.")
    } else {
        return None;
    };
    let body = openai::error("invalid_request_error", Some(code), message);
    Some(Failure {
        status: 400,
        event: event(&json!({"type": "error", "code": code, "message": message})),
        header: None,
        body,
    })
}

/// As many vectors as texts were sent.
pub(super) fn embeddings(request: &Request) -> Reply {
    let body = request.json();
    let texts = body["input"].as_array().map_or(1, Vec::len);
    let vector = if body["encoding_format"] == "base64" {
        json!(PACKED)
    } else {
        json!(VECTOR)
    };
    let data: Vec<Value> = (0..texts)
        .map(|index| json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    let usage = json!({"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS});
    Reply::json(
        200,
        &json!({"object": "list", "data": data, "model": request.model(), "usage": usage}),
    )
}

fn message() -> Item {
    let id = "msg_testkit";
    let item = |status: &str, content: Value| {
        json!({"id": id, "type": "message", "status": status, "role": "assistant",
            "content": content})
    };
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    let text = PIECES.concat();
    let about = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": id, "content_index": 0});
        merge(&mut event, more);
        event
    };
    let mut events = vec![about(
        "response.content_part.added",
        json!({"part": part("")}),
    )];
    events.extend(PIECES.map(|piece| {
        about(
            "response.output_text.delta",
            json!({"delta": piece, "logprobs": []}),
        )
    }));
    events.push(about(
        "response.output_text.done",
        json!({"text": text, "logprobs": []}),
    ));
    events.push(about(
        "response.content_part.done",
        json!({"part": part(&text)}),
    ));
    Item {
        whole: item("completed", json!([part(&text)])),
        begun: item("in_progress", json!([])),
        events,
        piece: Some(1),
    }
}

fn call() -> Item {
    let id = "fc_testkit";
    let item = |status: &str, arguments: &str| {
        json!({"id": id, "type": "function_call", "status": status, "arguments": arguments,
            "call_id": "call_testkit_1", "name": "get_weather"})
    };
    let delta = |piece: &str| json!({"type": "response.function_call_arguments.delta", "item_id": id, "delta": piece});
    let arguments = ARGUMENTS.concat();
    let mut events: Vec<Value> = ARGUMENTS.into_iter().map(delta).collect();
    events.push(
        json!({"type": "response.function_call_arguments.done", "item_id": id,
            "arguments": arguments}),
    );
    Item {
        whole: item("completed", &arguments),
        begun: item("in_progress", ""),
        events,
        piece: Some(0),
    }
}

fn thought() -> Item {
    let item = json!({"id": "rs_testkit", "type": "reasoning", "summary": [],
        "encrypted_content": ENCRYPTED});
    Item {
        whole: item.clone(),
        begun: item,
        events: Vec::new(),
        piece: None,
    }
}

fn answer(model: &str, items: Vec<Item>) -> Answer {
    let output: Vec<Value> = items.iter().map(|item| item.whole.clone()).collect();
    let mut whole = response(model, "completed");
    whole["output"] = json!(output);
    whole["usage"] = json!({
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    });
    let begun = response(model, "in_progress");
    let mut all = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    let mut first = None;
    for (index, item) in items.into_iter().enumerate() {
        all.push(
            json!({"type": "response.output_item.added", "item": item.begun,
            "output_index": index}),
        );
        first = first.or(item.piece.map(|piece| all.len() + piece + 1));
        for mut event in item.events {
            event["output_index"] = json!(index);
            all.push(event);
        }
        all.push(
            json!({"type": "response.output_item.done", "item": item.whole,
            "output_index": index}),
        );
    }
    all.push(json!({"type": "response.completed", "response": whole}));
    let numbered = all.into_iter().enumerate().map(|(number, mut value)| {
        value["sequence_number"] = json!(number);
        event(&value)
    });
    Answer {
        whole,
        events: numbered.collect(),
        first: first.unwrap_or(2),
    }
}

fn response(model: &str, status: &str) -> Value {
    json!({
        "id": "resp_testkit",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "model": model,
        "output": [],
        "parallel_tool_calls": true,
        "tool_choice": "auto",
        "tools": [],
        "usage": null,
    })
}

/// As chat completions fail, but for the event.
fn failure(kind: Kind) -> Failure {
    let failure = (openai::DIALECT.failure)(kind);
    let error = &failure.body["error"];
    let event = event(&json!({"type": "error", "code": error["code"],
        "message": error["message"], "param": null, "sequence_number": 0}));
    Failure { event, ..failure }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

fn event(value: &Value) -> Bytes {
    let name = value["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}
