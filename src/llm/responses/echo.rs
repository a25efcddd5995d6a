//! What every response repeats of its request.

use serde_json::value::RawValue;

use crate::ir::Echo;
use crate::json;
use crate::object::object;

object! {
    Repeated<'a> {
        "instructions" => instructions: &'a RawValue,
        "max_output_tokens" => max_output_tokens: &'a RawValue,
        "metadata" => metadata: &'a RawValue,
        "parallel_tool_calls" => parallel_tool_calls: &'a RawValue,
        "prompt_cache_key" => prompt_cache_key: &'a RawValue,
        "reasoning" => reasoning: &'a RawValue,
        "safety_identifier" => safety_identifier: &'a RawValue,
        "temperature" => temperature: &'a RawValue,
        "text" => text: &'a RawValue,
        "tool_choice" => tool_choice: &'a RawValue,
        "tools" => tools: &'a RawValue,
        "top_logprobs" => top_logprobs: &'a RawValue,
        "top_p" => top_p: &'a RawValue,
        "truncation" => truncation: &'a RawValue,
        "user" => user: &'a RawValue,
    }
}

/// The members that a response repeats, with the defaults of what was not said.
pub(super) fn of(body: &[u8]) -> Echo {
    // It was read before, so it can be read again.
    let said: Repeated<'_> = serde_json::from_slice(body).unwrap_or_default();
    let mut out = String::from("\"background\":false,\"previous_response_id\":null");
    let mut put = |name: &str, value: Option<&RawValue>, default: Option<&str>| {
        let Some(text) = value.map(RawValue::get).or(default) else {
            return;
        };
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        json::compact(text, &mut out);
    };
    put("instructions", said.instructions, Some("null"));
    put("max_output_tokens", said.max_output_tokens, Some("null"));
    put("metadata", said.metadata, Some("{}"));
    put(
        "parallel_tool_calls",
        said.parallel_tool_calls,
        Some("true"),
    );
    put("prompt_cache_key", said.prompt_cache_key, None);
    put(
        "reasoning",
        said.reasoning,
        Some("{\"effort\":null,\"summary\":null}"),
    );
    put("safety_identifier", said.safety_identifier, None);
    put("temperature", said.temperature, Some("null"));
    put("text", said.text, Some("{\"format\":{\"type\":\"text\"}}"));
    put("tool_choice", said.tool_choice, Some("\"auto\""));
    put("tools", said.tools, Some("[]"));
    put("top_logprobs", said.top_logprobs, None);
    put("top_p", said.top_p, Some("null"));
    put("truncation", said.truncation, Some("\"disabled\""));
    put("user", said.user, None);
    Echo::new(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_members_stand_on_one_line_and_defaults_for_the_rest() {
        let echo =
            of(b"{\"tools\": [ {\n\"a\": \"x y\" } ],\n\"temperature\":0.50,\"input\":\"secret\"}");
        let whole = format!("{{{}}}", echo.members());
        assert!(whole.contains(r#""tools":[{"a":"x y"}]"#));
        assert!(whole.contains(r#""temperature":0.50"#), "as it was written");
        assert!(!whole.contains('\n') && !whole.contains("secret"));
        let parsed: serde_json::Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(parsed["tool_choice"], "auto");
        assert!(!format!("{echo:?}").contains("x y"), "it may hold a prompt");
    }
}
