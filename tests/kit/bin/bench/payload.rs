//! What is asked and answered: documents of an exact size, and streams.

/// Repeated in every answer.
pub(crate) const TEXT: &str = "lorem ipsum ";

/// Pieces of text in a streamed answer.
pub(crate) const PIECES: usize = 64;

/// A chat completion request of this many bytes (or of the least that it can be).
pub(crate) fn request(bytes: usize, model: &str, stream: bool) -> String {
    let stream = if stream { r#""stream":true,"# } else { "" };
    let open = format!(r#"{{"model":"{model}",{stream}"messages":[{{"role":"user","content":""#);
    padded(&open, r#""}]}"#, bytes)
}

/// OpenAI's answer in one piece, of this many bytes (or of the least).
pub(crate) fn openai(bytes: usize) -> String {
    let open = concat!(
        r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1790000000,"#,
        r#""model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":""#
    );
    let close = concat!(
        r#""},"logprobs":null,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":200,"completion_tokens":200,"total_tokens":400}}"#
    );
    padded(open, close, bytes)
}

/// Anthropic's.
pub(crate) fn anthropic(bytes: usize) -> String {
    let open = concat!(
        r#"{"id":"msg_bench","type":"message","role":"assistant","model":"bench-claude","#,
        r#""content":[{"type":"text","text":""#
    );
    let close = concat!(
        r#""}],"stop_reason":"end_turn","stop_sequence":null,"#,
        r#""usage":{"input_tokens":200,"output_tokens":200}}"#
    );
    padded(open, close, bytes)
}

/// OpenAI's answer in events.
pub(crate) fn openai_events() -> Vec<String> {
    let chunk = |delta: &str, reason: &str| {
        format!(
            concat!(
                r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","#,
                r#""created":1790000000,"model":"bench","choices":[{{"index":0,"#,
                r#""delta":{},"finish_reason":{}}}]}}"#,
                "\n\n"
            ),
            delta, reason
        )
    };
    let text = format!(r#"{{"content":"{TEXT}"}}"#);
    let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
    events.extend((0..PIECES).map(|_| chunk(&text, "null")));
    events.push(chunk("{}", r#""stop""#));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// Anthropic's.
pub(crate) fn anthropic_events() -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let delta = format!(r#","index":0,"delta":{{"type":"text_delta","text":"{TEXT}"}}"#);
    let start = concat!(
        r#","message":{"id":"msg_bench","type":"message","role":"assistant","#,
        r#""model":"bench-claude","content":[],"stop_reason":null,"stop_sequence":null,"#,
        r#""usage":{"input_tokens":200,"output_tokens":1}}"#
    );
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    let end =
        r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}"#;
    let mut events = vec![
        event("message_start", start),
        event("content_block_start", block),
    ];
    events.extend((0..PIECES).map(|_| event("content_block_delta", &delta)));
    events.push(event("content_block_stop", r#","index":0"#));
    events.push(event("message_delta", end));
    events.push(event("message_stop", ""));
    events
}

fn padded(open: &str, close: &str, bytes: usize) -> String {
    let room = bytes.saturating_sub(open.len() + close.len());
    let text = TEXT.chars().cycle().take(room);
    open.chars().chain(text).chain(close.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_asked_for_and_are_json() {
        for body in [
            request(1024, "bench", false),
            openai(1024),
            anthropic(16 * 1024),
        ] {
            assert_eq!(body.len() % 1024, 0);
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }

    #[test]
    fn events_are_json_but_for_the_last_one_of_openai() {
        let (openai, anthropic) = (openai_events(), anthropic_events());
        for event in openai.iter().rev().skip(1).chain(&anthropic) {
            let (_, data) = event.split_once("data: ").unwrap();
            serde_json::from_str::<serde_json::Value>(data).unwrap();
        }
    }
}
