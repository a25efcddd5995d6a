//! The demo's Anthropic side: messages, buffered and streamed, and models.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::reply::{self, Reply};

/// Models that `GET /v1/models` lists; every other name is answered as well.
const MODELS: [&str; 3] = ["claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5"];

/// True when the caller speaks Anthropic's API, which shares paths with OpenAI's.
pub(super) fn is_caller(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

/// `POST /v1/messages`.
pub(super) fn messages(headers: &HeaderMap, body: &[u8]) -> Reply {
    if let Some(refusal) = refused(headers) {
        return refusal;
    }
    if !is_caller(headers) {
        return invalid("anthropic-version: header is required");
    }
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return invalid("the body is not valid JSON");
    };
    let Some(model) = request["model"].as_str() else {
        return invalid("model: field required");
    };
    if !request["messages"].is_array() {
        return invalid("messages: field required");
    }
    if !request["max_tokens"].is_u64() {
        return invalid("max_tokens: field required");
    }
    let answer = Answer::new(model, body.len());
    if request["stream"] == true {
        reply::events(stream(&answer))
    } else {
        reply::json(StatusCode::OK, &whole(&answer))
    }
}

/// `GET /v1/models`.
pub(super) fn models(headers: &HeaderMap) -> Reply {
    if let Some(refusal) = refused(headers) {
        return refusal;
    }
    let entry = |id: &&str| {
        json!({
            "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z",
        })
    };
    let body = json!({
        "data": MODELS.iter().map(entry).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": MODELS.first(),
        "last_id": MODELS.last(),
    });
    reply::json(StatusCode::OK, &body)
}

/// A provider would refuse a wrong key, and so the demo looks whether the
/// gateway put the provider's key in place of the client's.
fn refused(headers: &HeaderMap) -> Option<Reply> {
    let api_key = headers
        .get("x-api-key")
        .and_then(|value| value.to_str().ok());
    let key = api_key
        .or_else(|| reply::bearer(headers))
        .unwrap_or_default();
    (!key.starts_with("sk-ant-")).then(|| {
        let message = "the demo provider wants an Anthropic key: x-api-key: sk-ant-… \
                       (any will do, such as the placeholder in examples/quickstart)";
        error(StatusCode::UNAUTHORIZED, "authentication_error", message)
    })
}

fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

fn error(status: StatusCode, kind: &str, message: &str) -> Reply {
    reply::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}}),
    )
}

fn whole(answer: &Answer) -> Value {
    let mut message = head(answer);
    message["content"] = json!([{"type": "text", "text": answer.text}]);
    message["stop_reason"] = json!("end_turn");
    message["usage"]["output_tokens"] = json!(answer.output_tokens());
    message
}

fn head(answer: &Answer) -> Value {
    json!({
        "id": format!("msg_demo_{}", answer.number),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": 1},
    })
}

fn stream(answer: &Answer) -> Vec<String> {
    let mut events = vec![
        event(&json!({"type": "message_start", "message": head(answer)})),
        event(&json!({
            "type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""},
        })),
        event(&json!({"type": "ping"})),
    ];
    events.extend(answer.pieces().map(|piece| {
        event(&json!({
            "type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": piece},
        }))
    }));
    events.extend([
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": answer.output_tokens()},
        })),
        event(&json!({"type": "message_stop"})),
    ]);
    events
}

/// Anthropic names each event by the `type` of its data.
fn event(value: &Value) -> String {
    format!(
        "event: {}\ndata: {value}\n\n",
        value["type"].as_str().unwrap_or_default()
    )
}
