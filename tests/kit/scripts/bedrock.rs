//! The scripted provider's Converse and ConverseStream.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Answer, Dialect, Failure, INPUT_TOKENS, Kind, OUTPUT_TOKENS, PIECES, SIGNATURE, THOUGHT,
    converse,
};

pub(super) const DIALECT: Dialect = Dialect {
    stream: "application/vnd.amazon.eventstream",
    check: |request| {
        let wrong = converse::check(&request.json()).err()?;
        Some(refusal(400, "ValidationException", &wrong))
    },
    text: |_| text(),
    tools: |_| tools(),
    thinking: |_, answered| thinking(answered),
    failure,
};

const ARGUMENTS: [&str; 2] = ["{\"city\":", "\"Paris\"}"];

fn text() -> Answer {
    let block = json!({"text": PIECES.concat()});
    let deltas = PIECES.map(|piece| json!({"text": piece}));
    answer(vec![block], block_events(0, None, &deltas), "end_turn")
}

fn tools() -> Answer {
    let (block, events) = call(0);
    answer(vec![block], events, "tool_use")
}

fn call(index: u32) -> (Value, Vec<Bytes>) {
    let mut call = json!({"toolUseId": "tooluse_testkit_1", "name": "get_weather"});
    let start = json!({"toolUse": call});
    call["input"] = json!({"city": "Paris"});
    let deltas = ARGUMENTS.map(|part| json!({"toolUse": {"input": part}}));
    let events = block_events(index, Some(&start), &deltas);
    (json!({"toolUse": call}), events)
}

fn thinking(answered: bool) -> Answer {
    let thought = json!({"reasoningContent":
        {"reasoningText": {"text": THOUGHT, "signature": SIGNATURE}}});
    let mut events = block_events(
        0,
        None,
        &[
            json!({"reasoningContent": {"text": THOUGHT}}),
            json!({"reasoningContent": {"signature": SIGNATURE}}),
        ],
    );
    if answered {
        let deltas = PIECES.map(|piece| json!({"text": piece}));
        events.extend(block_events(1, None, &deltas));
        let block = json!({"text": PIECES.concat()});
        return answer(vec![thought, block], events, "end_turn");
    }
    let (call, more) = call(1);
    events.extend(more);
    answer(vec![thought, call], events, "tool_use")
}

/// Nothing of the model's own words.
pub(super) fn guardrail() -> Answer {
    let deltas = [json!({"text": "Blocked."})];
    let events = block_events(0, None, &deltas);
    let mut answer = answer(Vec::new(), events, "guardrail_intervened");
    if let Some(whole) = answer.whole.as_object_mut() {
        whole.remove("output");
    }
    answer
}

fn block_events(index: u32, start: Option<&Value>, deltas: &[Value]) -> Vec<Bytes> {
    let mut events = Vec::new();
    if let Some(start) = start {
        let begin = json!({"contentBlockIndex": index, "start": start});
        events.push(event("contentBlockStart", &begin));
    }
    // As the service does, to hide lengths.
    let more = |delta| json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"});
    let deltas = deltas.iter().map(more);
    events.extend(deltas.map(|more| event("contentBlockDelta", &more)));
    let end = json!({"contentBlockIndex": index});
    events.push(event("contentBlockStop", &end));
    events
}

fn answer(content: Vec<Value>, blocks: Vec<Bytes>, stop: &str) -> Answer {
    let usage = json!({
        "inputTokens": INPUT_TOKENS,
        "outputTokens": OUTPUT_TOKENS,
        "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
    });
    let metrics = json!({"latencyMs": 12});
    let mut events = vec![event("messageStart", &json!({"role": "assistant"}))];
    events.extend(blocks);
    events.push(event("messageStop", &json!({"stopReason": stop})));
    events.push(event(
        "metadata",
        &json!({"usage": usage, "metrics": metrics}),
    ));
    Answer {
        whole: json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": stop,
            "usage": usage,
            "metrics": metrics,
        }),
        events,
        first: 2,
    }
}

fn failure(kind: Kind) -> Failure {
    let (status, name, message) = match kind {
        Kind::BadRequest => (400, "ValidationException", "The model refuses temperature."),
        Kind::Overloaded => (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        Kind::Quota => (
            400,
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        Kind::RateLimited => (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        ),
        Kind::Unauthorized => (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    };
    refusal(status, name, message)
}

fn refusal(status: u16, name: &'static str, message: &str) -> Failure {
    let body = json!({"message": message});
    let in_stream = name[..1].to_ascii_lowercase() + &name[1..];
    Failure {
        status,
        header: Some(("x-amzn-errortype", name)),
        event: frame(":exception-type", &in_stream, "exception", &body),
        body,
    }
}

fn event(name: &str, payload: &Value) -> Bytes {
    frame(":event-type", name, "event", payload)
}

/// A frame of `application/vnd.amazon.eventstream`.
fn frame(kind: &str, name: &str, message: &str, payload: &Value) -> Bytes {
    let mut headers = Vec::new();
    for (name, value) in [
        (kind, name),
        (":content-type", "application/json"),
        (":message-type", message),
    ] {
        headers.push(u8::try_from(name.len()).expect("a short name"));
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        let len = u16::try_from(value.len()).expect("a short value");
        headers.extend_from_slice(&len.to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut frame = Vec::new();
    for len in [12 + headers.len() + payload.len() + 4, headers.len()] {
        let len = u32::try_from(len).expect("a short frame");
        frame.extend_from_slice(&len.to_be_bytes());
    }
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    Bytes::from(frame)
}
