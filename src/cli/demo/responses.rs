//! The demo's OpenAI side, continued: responses, buffered and streamed, and
//! embeddings.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::openai::{invalid, refused};
use super::reply::{self, Reply};

/// `POST /v1/responses`.
pub(super) fn respond(headers: &HeaderMap, body: &[u8]) -> Reply {
    let (request, answer) = match read(headers, body) {
        Ok(read) => read,
        Err(refusal) => return *refusal,
    };
    if request["stream"] == true {
        reply::events(stream(&answer))
    } else {
        reply::json(StatusCode::OK, &response(&answer, "completed"))
    }
}

/// `POST /v1/embeddings`: all texts are near each other.
pub(super) fn embed(headers: &HeaderMap, body: &[u8]) -> Reply {
    let (request, answer) = match read(headers, body) {
        Ok(read) => read,
        Err(refusal) => return *refusal,
    };
    if request["encoding_format"] == "base64" {
        return invalid("the demo embeds with encoding_format float only");
    }
    let texts = request["input"].as_array().map_or(1, Vec::len);
    let data: Vec<Value> = (0..texts)
        .map(|index| json!({"object": "embedding", "index": index, "embedding": [0.1, 0.2, 0.3]}))
        .collect();
    let tokens = answer.input_tokens;
    reply::json(
        StatusCode::OK,
        &json!({
            "object": "list",
            "data": data,
            "model": answer.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }),
    )
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<(Value, Answer), Box<Reply>> {
    if let Some(refusal) = refused(headers) {
        return Err(Box::new(refusal));
    }
    let refuse = |message| Err(Box::new(invalid(message)));
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return refuse("the body is not valid JSON");
    };
    let Some(model) = request["model"].as_str() else {
        return refuse("you must provide a model parameter");
    };
    if request["input"].is_null() {
        return refuse("missing required parameter: input");
    }
    let answer = Answer::new(model, body.len());
    Ok((request, answer))
}

fn stream(answer: &Answer) -> Vec<String> {
    let id = message_id(answer);
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "text": text});
    let begun = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant",
        "content": []});
    let place = json!({"item_id": id, "output_index": 0, "content_index": 0});
    let at = |kind: &str, member: &str, value: Value| {
        let mut event = place.clone();
        event["type"] = json!(kind);
        event[member] = value;
        event
    };
    let response = response(answer, "in_progress");
    let mut events = vec![
        json!({"type": "response.created", "response": response}),
        json!({"type": "response.in_progress", "response": response}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
        at("response.content_part.added", "part", part("")),
    ];
    let deltas = answer.pieces();
    events.extend(deltas.map(|piece| at("response.output_text.delta", "delta", json!(piece))));
    events.extend([
        at("response.output_text.done", "text", json!(answer.text)),
        at("response.content_part.done", "part", part(&answer.text)),
        json!({"type": "response.output_item.done", "output_index": 0, "item": message(answer)}),
        json!({"type": "response.completed", "response": self::response(answer, "completed")}),
    ]);
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(number, mut event)| {
            event["sequence_number"] = json!(number);
            let kind = event["type"].as_str().unwrap_or_default();
            format!("event: {kind}\ndata: {event}\n\n")
        })
        .collect()
}

fn response(answer: &Answer, status: &str) -> Value {
    let is_whole = status == "completed";
    let output = if is_whole {
        vec![message(answer)]
    } else {
        Vec::new()
    };
    json!({
        "id": format!("resp_demo_{}", answer.number),
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": true,
        "tool_choice": "auto",
        "tools": [],
        "usage": if is_whole { usage(answer) } else { Value::Null },
    })
}

fn message(answer: &Answer) -> Value {
    json!({"id": message_id(answer), "type": "message", "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "text": answer.text}]})
}

fn message_id(answer: &Answer) -> String {
    format!("msg_demo_{}", answer.number)
}

fn usage(answer: &Answer) -> Value {
    let (input, output) = (answer.input_tokens, answer.output_tokens());
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + output,
    })
}
