//! The scripted provider's own chat API of Ollama.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES, Request, THOUGHT,
};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "application/x-ndjson",
    check: |request: &Request| Some(refusal(400, &wrong(&request.json())?)),
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

const CREATED_AT: &str = "2026-11-20T09:15:03.123456789Z";

/// What is wrong with a request, in the words of Go's decoder.
fn wrong(body: &Value) -> Option<String> {
    let of = |value: &Value, kind: &str, field: &str| {
        let kind = match value {
            Value::Null => return None,
            Value::Bool(_) => kind != "bool",
            Value::Number(_) => kind != "number",
            Value::String(_) => kind != "string",
            Value::Array(_) => kind != "list",
            Value::Object(_) => kind != "object",
        };
        kind.then(|| format!("json: cannot unmarshal {field}"))
    };
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let top = [
        ("messages", "list"),
        ("tools", "list"),
        ("options", "object"),
    ];
    let top = top
        .into_iter()
        .find_map(|(name, kind)| of(&body[name], kind, name));
    let messages = all(&body["messages"]);
    let in_messages = messages.iter().find_map(|message| {
        let content = of(&message["content"], "string", "messages.content");
        let images = all(&message["images"]);
        let images = images
            .iter()
            .find_map(|it| of(it, "string", "messages.images"));
        let calls = all(&message["tool_calls"]);
        let calls = calls.iter().find_map(|call| {
            let arguments = &call["function"]["arguments"];
            of(
                arguments,
                "object",
                "messages.tool_calls.function.arguments",
            )
        });
        content.or(images).or(calls)
    });
    let format = &body["format"];
    let format = (format.is_string() && format != "json" && format != "")
        .then(|| format!("invalid format: {format}; expected \"json\" or a JSON schema"));
    top.or(in_messages).or(format)
}

fn text(model: &str) -> Answer {
    let whole = json!({"role": "assistant", "content": PIECES.concat()});
    let lines = PIECES.map(|piece| json!({"role": "assistant", "content": piece}));
    answer(model, &whole, &lines)
}

fn called(model: &str, thought: Option<&str>) -> Answer {
    let call = json!({
        "id": "call_testkit_1",
        "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}},
    });
    let mut whole = json!({"role": "assistant", "content": "", "tool_calls": [call]});
    let called = whole.clone();
    let Some(thought) = thought else {
        return answer(model, &whole, &[called]);
    };
    whole["thinking"] = json!(thought);
    let thinks = json!({"role": "assistant", "content": "", "thinking": thought});
    answer(model, &whole, &[thinks, called])
}

fn answer(model: &str, whole: &Value, messages: &[Value]) -> Answer {
    let more = messages
        .iter()
        .map(|message| line(&body(model, message, false)));
    let nothing = json!({"role": "assistant", "content": ""});
    let last = line(&body(model, &nothing, true));
    Answer {
        whole: body(model, whole, true),
        events: more.chain([last]).collect(),
        first: 1,
    }
}

fn body(model: &str, message: &Value, done: bool) -> Value {
    let mut body = json!({
        "model": model, "created_at": CREATED_AT, "message": message, "done": done,
    });
    if done {
        body["done_reason"] = json!("stop");
        body["total_duration"] = json!(4_883_583_458_u64);
        body["prompt_eval_count"] = json!(INPUT_TOKENS);
        body["eval_count"] = json!(OUTPUT_TOKENS);
    }
    body
}

fn failure(kind: Kind) -> Failure {
    match kind {
        Kind::BadRequest => refusal(400, "option \"temperature\" must be of type float32"),
        Kind::Overloaded => refusal(
            503,
            "server busy, please try again.  maximum pending requests exceeded",
        ),
        Kind::Quota => refusal(402, "you have no usage left, please upgrade to continue"),
        Kind::RateLimited => refusal(429, "too many concurrent requests"),
        Kind::Unauthorized => refusal(401, "unauthorized"),
    }
}

fn refusal(status: u16, message: &str) -> Failure {
    let body = json!({"error": message});
    let event = line(&body);
    Failure {
        status,
        body,
        header: None,
        event,
    }
}

fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
