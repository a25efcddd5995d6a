//! Whether a chunk says something of the answer.
//!
//! Servers send a chunk with the role at once and think afterwards: until some
//! content came, another upstream may still serve.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::skim;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<&'a RawValue>>,
}

/// True when a choice brings content of any kind, or is in a shape that is not
/// known: a stream must not be held back for that.
pub(super) fn says_something(chunk: &[u8]) -> bool {
    match serde_json::from_slice::<Chunk<'_>>(chunk) {
        Ok(chunk) => chunk.choices.is_some_and(|all| all.into_iter().any(choice)),
        Err(_) => true,
    }
}

fn choice(choice: &RawValue) -> bool {
    let mut says = false;
    let read = skim::members(choice.get().as_bytes(), |member| {
        says |= match member.key {
            b"delta" => delta(member.value),
            b"message" | b"text" => is_something(member.value),
            _ => false,
        };
    });
    says || read.is_err()
}

fn delta(delta: &[u8]) -> bool {
    if delta == b"null" {
        return false;
    }
    let mut says = false;
    let read = skim::members(delta, |member| {
        says |= member.key != b"role" && is_something(member.value);
    });
    says || read.is_err()
}

fn is_something(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(delta: &str) -> bool {
        let chunk =
            format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        says_something(chunk.as_bytes())
    }

    #[test]
    fn a_role_is_no_content() {
        for delta in [
            "null",
            "{}",
            r#"{"role":"assistant"}"#,
            r#"{"role":"assistant","content":"","refusal":null}"#,
            r#"{ "role": "assistant", "content": null, "tool_calls": [] }"#,
        ] {
            assert!(!says(delta), "{delta}");
        }
        assert!(!says_something(
            br#"{"choices":[],"prompt_filter_results":[{}]}"#
        ));
        assert!(!says_something(br#"{"usage":{"prompt_tokens":1}}"#));
    }

    #[test]
    fn content_of_any_kind_is() {
        for delta in [
            r#"{"content":"x"}"#,
            r#"{"content":" "}"#,
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"a"}]}"#,
            r#"{"reasoning_content":"hm"}"#,
            r#"{"refusal":"no"}"#,
            r#"{"audio":{"id":"a"}}"#,
        ] {
            assert!(says(delta), "{delta}");
        }
        assert!(says_something(br#"{"choices":[{"text":"x"}]}"#));
    }

    #[test]
    fn an_unknown_shape_is_not_held_back() {
        for chunk in [
            r#"{"choices":{}}"#,
            r#"{"choices":["x"]}"#,
            r#"{"choices":[{"delta":"x"}]}"#,
        ] {
            assert!(says_something(chunk.as_bytes()), "{chunk}");
        }
    }
}
