//! The scripted provider's Anthropic messages.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES, SIGNATURE, THOUGHT,
};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "text/event-stream",
    check: super::unchecked,
    text,
    tools,
    thinking,
    failure,
};

const ARGUMENTS: [&str; 2] = ["{\"city\":", "\"Paris\"}"];

fn text(model: &str) -> Answer {
    let deltas = PIECES.map(|piece| json!({"type": "text_delta", "text": piece}));
    let empty = json!({"type": "text", "text": ""});
    let block = json!({"type": "text", "text": PIECES.concat()});
    answer(model, &block, &empty, &deltas, "end_turn")
}

fn tools(model: &str) -> Answer {
    let deltas = ARGUMENTS.map(|part| json!({"type": "input_json_delta", "partial_json": part}));
    let block = |input: Value| json!({"type": "tool_use", "id": "toolu_testkit_1", "name": "get_weather", "input": input});
    let whole = block(json!({"city": "Paris"}));
    answer(model, &whole, &block(json!({})), &deltas, "tool_use")
}

/// The thoughts come before what another answer has.
fn thinking(model: &str, answered: bool) -> Answer {
    let mut answer = if answered { text(model) } else { tools(model) };
    let block = json!({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE});
    let content = answer.whole["content"].as_array_mut();
    content.expect("a list").insert(0, block);
    let later = |event: &Bytes| {
        let text = String::from_utf8_lossy(event).replace("\"index\":0", "\"index\":1");
        Bytes::from(text)
    };
    let mut events: Vec<Bytes> = answer.events.iter().map(later).collect();
    let empty = json!({"type": "thinking", "thinking": "", "signature": ""});
    let thought = [
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": THOUGHT}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "signature_delta", "signature": SIGNATURE}}),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    events.splice(1..1, thought.iter().map(event));
    answer.events = events;
    answer
}

fn answer(model: &str, block: &Value, empty: &Value, deltas: &[Value], stop: &str) -> Answer {
    let mut whole = head(model);
    whole["content"] = json!([block]);
    whole["stop_reason"] = json!(stop);
    whole["usage"]["output_tokens"] = json!(OUTPUT_TOKENS);
    let mut events = vec![
        event(&json!({"type": "message_start", "message": head(model)})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": empty})),
        event(&json!({"type": "ping"})),
    ];
    events.extend(
        deltas
            .iter()
            .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta}))
            .map(|delta| event(&delta)),
    );
    events.extend([
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        })),
        event(&json!({"type": "message_stop"})),
    ]);
    Answer {
        whole,
        events,
        first: 4,
    }
}

fn head(model: &str) -> Value {
    json!({
        "id": "msg_testkit",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    })
}

fn failure(kind: Kind) -> Failure {
    let (status, kind, message) = match kind {
        Kind::BadRequest => (400, "invalid_request_error", "temperature: range: 0..1"),
        Kind::Overloaded => (529, "overloaded_error", "Overloaded"),
        // Anthropic has no code of its own for an empty account.
        Kind::Quota => (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the API.",
        ),
        Kind::RateLimited => (
            429,
            "rate_limit_error",
            "This request would exceed your rate limit.",
        ),
        Kind::Unauthorized => (401, "authentication_error", "invalid x-api-key"),
    };
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    let event = event(&body);
    Failure {
        status,
        body,
        header: None,
        event,
    }
}

fn event(value: &Value) -> Bytes {
    let name = value["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}
