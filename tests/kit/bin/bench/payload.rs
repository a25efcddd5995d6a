//! Chat completions of an exact size, in both directions.

/// The model that the load asks for.
const MODEL: &str = "bench";

/// A request body of this many bytes (or of the least that it can be).
pub(crate) fn request(bytes: usize) -> String {
    let open = format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":""#);
    padded(&open, r#""}]}"#, bytes)
}

/// A response body of this many bytes (or of the least that it can be).
pub(crate) fn response(bytes: usize) -> String {
    let open = format!(
        concat!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1790000000,"#,
            r#""model":"{}","choices":[{{"index":0,"message":{{"role":"assistant","content":""#
        ),
        MODEL
    );
    let close = concat!(
        r#""},"logprobs":null,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":200,"completion_tokens":200,"total_tokens":400}}"#
    );
    padded(&open, close, bytes)
}

fn padded(open: &str, close: &str, bytes: usize) -> String {
    let room = bytes.saturating_sub(open.len() + close.len());
    let text = "lorem ipsum ".chars().cycle().take(room);
    open.chars().chain(text).chain(close.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::{request, response};

    #[test]
    fn bodies_have_the_size_asked_for_and_are_json() {
        for body in [request(1024), response(1024), request(16 * 1024)] {
            assert_eq!(body.len() % 1024, 0);
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }
}
