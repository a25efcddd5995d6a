//! The scripted provider's generateContent and streamGenerateContent.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES, SIGNATURE, THOUGHT,
};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "text/event-stream",
    check: |request| {
        let body = request.json();
        // As the service says it of what the SDK cannot leave out.
        let wrong = if !body["contents"].is_array() {
            Some("contents is not specified")
        } else if body.get("model").is_some() || body.get("stream").is_some() {
            Some("Invalid JSON payload received. Unknown name")
        } else if request.streams() && request.query("alt") != Some("sse") {
            Some("this script streams no lists")
        } else {
            None
        };
        Some(refusal(400, "INVALID_ARGUMENT", wrong?))
    },
    text,
    tools: |model| called(model, None),
    thinking: |model, answered| {
        if answered {
            text(model)
        } else {
            called(model, Some(THOUGHT))
        }
    },
    failure,
};

fn text(model: &str) -> Answer {
    let whole = vec![json!({"text": PIECES.concat()})];
    let events = PIECES.map(|piece| vec![json!({"text": piece})]);
    answer(model, whole, &events)
}

fn called(model: &str, thought: Option<&str>) -> Answer {
    let call = json!({
        "functionCall": {"name": "get_weather", "args": {"city": "Paris"}},
        "thoughtSignature": SIGNATURE,
    });
    let thought = thought.map(|text| json!({"text": text, "thought": true}));
    let parts: Vec<Value> = thought.into_iter().chain([call]).collect();
    let events: Vec<Vec<Value>> = parts.iter().map(|part| vec![part.clone()]).collect();
    answer(model, parts, &events)
}

/// The last piece says why it ended and what it cost.
fn answer(model: &str, whole: Vec<Value>, pieces: &[Vec<Value>]) -> Answer {
    let last = pieces.len().saturating_sub(1);
    let pieces = pieces.iter().enumerate();
    let events = pieces.map(|(place, parts)| data(&body(model, parts.clone(), place == last)));
    Answer {
        whole: body(model, whole, true),
        events: events.collect(),
        first: 1,
    }
}

fn body(model: &str, parts: Vec<Value>, is_last: bool) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    let mut usage = json!({"promptTokenCount": INPUT_TOKENS, "totalTokenCount": INPUT_TOKENS});
    if is_last {
        candidate["finishReason"] = json!("STOP");
        usage["candidatesTokenCount"] = json!(OUTPUT_TOKENS);
        usage["totalTokenCount"] = json!(INPUT_TOKENS + OUTPUT_TOKENS);
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "testkit",
    })
}

fn failure(kind: Kind) -> Failure {
    let (status, word, message) = match kind {
        Kind::BadRequest => (400, "INVALID_ARGUMENT", "Invalid value at 'temperature'."),
        Kind::Overloaded => (503, "UNAVAILABLE", "The model is overloaded."),
        // It has no word of its own for an empty account.
        Kind::Quota | Kind::RateLimited => (429, "RESOURCE_EXHAUSTED", "Resource exhausted."),
        Kind::Unauthorized => (401, "UNAUTHENTICATED", "Request had invalid credentials."),
    };
    refusal(status, word, message)
}

fn refusal(status: u16, word: &str, message: &str) -> Failure {
    let body = json!({"error": {"code": status, "message": message, "status": word}});
    Failure {
        status,
        header: None,
        event: data(&body),
        body,
    }
}

fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\r\n\r\n"))
}
