//! The demo's OpenAI side: chat completions, buffered and streamed, and models.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::reply::{self, Reply};

/// Models that `GET /v1/models` lists; every other name is answered as well.
const MODELS: [&str; 2] = ["gpt-5.1", "gpt-5.1-mini"];

/// `POST /v1/chat/completions`.
pub(super) fn chat(headers: &HeaderMap, body: &[u8]) -> Reply {
    if let Some(refusal) = refused(headers) {
        return refusal;
    }
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return invalid("the body is not valid JSON");
    };
    let Some(model) = request["model"].as_str() else {
        return invalid("you must provide a model parameter");
    };
    if !request["messages"].is_array() {
        return invalid("missing required parameter: messages");
    }
    let answer = Answer::new(model, body.len());
    if request["stream"] == true {
        reply::events(stream(
            &answer,
            request["stream_options"]["include_usage"] == true,
        ))
    } else {
        reply::json(StatusCode::OK, &whole(&answer))
    }
}

/// `GET /v1/models`.
pub(super) fn models(headers: &HeaderMap) -> Reply {
    if let Some(refusal) = refused(headers) {
        return refusal;
    }
    let data: Vec<Value> = MODELS
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 0, "owned_by": "agentkube-demo"}))
        .collect();
    reply::json(StatusCode::OK, &json!({"object": "list", "data": data}))
}

/// An error as OpenAI writes it.
pub(super) fn error(status: StatusCode, code: Option<&str>, message: &str) -> Reply {
    let body = json!({"error": {
        "message": message, "type": "invalid_request_error", "param": null, "code": code,
    }});
    reply::json(status, &body)
}

/// A provider would refuse a wrong key, and so the demo looks whether the
/// gateway put the provider's key in place of the client's.
pub(super) fn refused(headers: &HeaderMap) -> Option<Reply> {
    let key = reply::bearer(headers).unwrap_or_default();
    (!key.starts_with("sk-") || key.starts_with("sk-ant-")).then(|| {
        let message = "the demo provider wants an OpenAI key: Authorization: Bearer sk-… \
                       (any will do, such as the placeholder in examples/quickstart)";
        error(StatusCode::UNAUTHORIZED, Some("invalid_api_key"), message)
    })
}

pub(super) fn invalid(message: &str) -> Reply {
    error(StatusCode::BAD_REQUEST, None, message)
}

fn whole(answer: &Answer) -> Value {
    json!({
        "id": id(answer),
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(answer),
    })
}

fn stream(answer: &Answer, include_usage: bool) -> Vec<String> {
    let mut events = vec![chunk(
        answer,
        &json!({"role": "assistant", "content": ""}),
        None,
    )];
    events.extend(
        answer
            .pieces()
            .map(|piece| chunk(answer, &json!({"content": piece}), None)),
    );
    events.push(chunk(answer, &json!({}), Some("stop")));
    if include_usage {
        let mut last = envelope(answer, json!([]));
        last["usage"] = usage(answer);
        events.push(data(&last));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn chunk(answer: &Answer, delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
    data(&envelope(answer, json!([choice])))
}

fn envelope(answer: &Answer, choices: Value) -> Value {
    json!({
        "id": id(answer),
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
    })
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn id(answer: &Answer) -> String {
    format!("chatcmpl-demo-{}", answer.number)
}

fn usage(answer: &Answer) -> Value {
    let (input, output) = (answer.input_tokens, answer.output_tokens());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}
