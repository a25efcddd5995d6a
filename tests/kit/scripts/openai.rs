//! The scripted provider's OpenAI chat completions.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "text/event-stream",
    check: super::unchecked,
    text,
    tools,
    // It shows no thoughts.
    thinking: |model, answered| {
        if answered { text(model) } else { tools(model) }
    },
    failure,
};

const ARGUMENTS: [&str; 2] = ["{\"city\":", "\"Paris\"}"];

pub(super) fn models() -> Value {
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 0, "owned_by": "testkit"});
    json!({"object": "list", "data": [model("discovered-a"), model("discovered-b")]})
}

pub(super) fn not_found(route: &str) -> Value {
    error(
        "invalid_request_error",
        Some("unknown_url"),
        &format!("Unknown request URL: {route}"),
    )
}

fn text(model: &str) -> Answer {
    let message = json!({"role": "assistant", "content": PIECES.concat(), "refusal": null});
    let mut events = vec![chunk(
        model,
        &json!({"role": "assistant", "content": ""}),
        None,
    )];
    events.extend(PIECES.map(|piece| chunk(model, &json!({"content": piece}), None)));
    answer(model, &message, events, "stop")
}

fn tools(model: &str) -> Answer {
    let call = |arguments: &str| {
        json!({
            "id": "call_testkit_1", "type": "function",
            "function": {"name": "get_weather", "arguments": arguments},
        })
    };
    let message = json!({
        "role": "assistant", "content": null, "refusal": null,
        "tool_calls": [call(&ARGUMENTS.concat())],
    });
    let mut opening = call("");
    opening["index"] = json!(0);
    let opening = json!({"role": "assistant", "content": null, "tool_calls": [opening]});
    let mut events = vec![chunk(model, &opening, None)];
    events.extend(ARGUMENTS.map(|part| {
        let call = json!({"index": 0, "function": {"arguments": part}});
        chunk(model, &json!({"tool_calls": [call]}), None)
    }));
    answer(model, &message, events, "tool_calls")
}

/// Finishes what `events` began. OpenAI sends usage only when it is asked to; a
/// gateway always asks, and so the scripted one always sends it.
fn answer(model: &str, message: &Value, mut events: Vec<Bytes>, finish: &str) -> Answer {
    let usage = json!({
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0},
    });
    events.push(chunk(model, &json!({}), Some(finish)));
    let mut last = envelope(model, "chat.completion.chunk", &json!([]));
    last["usage"] = usage.clone();
    events.push(data(&last));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish});
    let mut whole = envelope(model, "chat.completion", &json!([choice]));
    whole["usage"] = usage;
    Answer {
        whole,
        events,
        first: 2,
    }
}

fn failure(kind: Kind) -> Failure {
    let (status, body) = match kind {
        Kind::BadRequest => (
            400,
            error(
                "invalid_request_error",
                None,
                "Invalid value: 'temperature'.",
            ),
        ),
        Kind::Overloaded => {
            let message = "The server is overloaded. Please try again later.";
            (
                503,
                error("server_error", Some("server_is_overloaded"), message),
            )
        }
        Kind::Quota => {
            let message = "You exceeded your current quota, please check your plan.";
            (
                429,
                error("insufficient_quota", Some("insufficient_quota"), message),
            )
        }
        Kind::RateLimited => {
            let message = "Rate limit reached for requests per minute.";
            (429, error("requests", Some("rate_limit_exceeded"), message))
        }
        Kind::Unauthorized => {
            let message = "Incorrect API key provided.";
            (
                401,
                error("invalid_request_error", Some("invalid_api_key"), message),
            )
        }
    };
    let event = data(&body);
    Failure {
        status,
        body,
        header: None,
        event,
    }
}

pub(super) fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn chunk(model: &str, delta: &Value, finish: Option<&str>) -> Bytes {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
    data(&envelope(model, "chat.completion.chunk", &json!([choice])))
}

fn envelope(model: &str, object: &str, choices: &Value) -> Value {
    json!({
        "id": "chatcmpl-testkit",
        "object": object,
        "created": 1_790_000_000,
        "model": model,
        "choices": choices,
    })
}

fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}
