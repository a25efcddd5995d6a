//! How many tokens a request has, asked of a provider in the words of another wire.

use bytes::Bytes;

use crate::object::missing;
use crate::skim::{self, NoObject};
use crate::translate::{Target, Translator};
use crate::{ApiError, Dialect, Dropped, ErrorKind, Failure, FailureKind};

/// A limit of output for a reader that insists on one; nothing is generated.
const MAX_TOKENS: &str = "128000";

/// A request for a count.
#[derive(Clone, Debug)]
pub struct CountRequest {
    /// The body, `application/json`.
    pub body: Bytes,
    /// What the provider cannot count.
    pub dropped: Dropped,
}

impl Translator {
    /// Translates a request for a count.
    ///
    /// # Errors
    /// A 400 that names the field.
    pub fn count(self, body: &Bytes, target: &Target<'_>) -> Result<CountRequest, ApiError> {
        let asked = asked(self.client(), body)?;
        let translated = self.request(&asked, target)?;
        Ok(CountRequest {
            body: counted_of(self.provider(), &translated.body),
            dropped: translated.dropped,
        })
    }

    /// Translates the answer (2xx).
    ///
    /// # Errors
    /// When it has no count: another upstream may still be tried.
    pub fn counted(self, body: &[u8]) -> Result<Bytes, Failure> {
        let key = match self.provider() {
            Dialect::Gemini => "totalTokens",
            Dialect::BedrockConverse => "inputTokens",
            Dialect::AnthropicMessages
            | Dialect::OllamaChat
            | Dialect::OpenAiChat
            | Dialect::OpenAiResponses => "input_tokens",
        };
        let found = skim::find(body, key.as_bytes()).and_then(|at| body.get(at));
        let count = found.and_then(|raw| std::str::from_utf8(raw).ok()?.parse::<u64>().ok());
        let count =
            count.ok_or_else(|| Failure::new(FailureKind::ServerError, "unreadable_answer"))?;
        Ok(Bytes::from(match self.client() {
            Dialect::Gemini => format!("{{\"totalTokens\":{count}}}"),
            Dialect::BedrockConverse => format!("{{\"inputTokens\":{count}}}"),
            Dialect::OpenAiResponses => {
                format!("{{\"object\":\"response.input_tokens\",\"input_tokens\":{count}}}")
            }
            Dialect::AnthropicMessages | Dialect::OllamaChat | Dialect::OpenAiChat => {
                format!("{{\"input_tokens\":{count}}}")
            }
        }))
    }
}

/// The request for an answer within a request for a count.
fn asked(client: Dialect, body: &Bytes) -> Result<Bytes, ApiError> {
    let within = |body: &[u8], key: &str| {
        let found = skim::find(body, key.as_bytes())?;
        body.get(found).map(Bytes::copy_from_slice)
    };
    match client {
        Dialect::AnthropicMessages => {
            let limit = [("max_tokens", MAX_TOKENS)];
            Ok(kept(body, |key| key != b"max_tokens", &limit))
        }
        Dialect::BedrockConverse => {
            let input = within(body, "input").ok_or_else(|| missing("input"))?;
            within(&input, "converse").ok_or_else(|| missing("input.converse"))
        }
        Dialect::Gemini => {
            Ok(within(body, "generateContentRequest").unwrap_or_else(|| body.clone()))
        }
        Dialect::OllamaChat | Dialect::OpenAiChat | Dialect::OpenAiResponses => Ok(body.clone()),
    }
}

/// What a provider counts of a request for an answer.
fn counted_of(provider: Dialect, body: &[u8]) -> Bytes {
    let only = |names: &[&str]| {
        kept(
            body,
            |key| names.iter().any(|name| name.as_bytes() == key),
            &[],
        )
    };
    match provider {
        Dialect::AnthropicMessages => only(&[
            "model",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
        ]),
        Dialect::BedrockConverse => {
            let converse = only(&[
                "messages",
                "system",
                "toolConfig",
                "additionalModelRequestFields",
            ]);
            let parts = [&b"{\"input\":{\"converse\":"[..], &converse, b"}}"];
            Bytes::from(parts.concat())
        }
        Dialect::Gemini => only(&["contents", "systemInstruction", "tools"]),
        Dialect::OllamaChat | Dialect::OpenAiChat | Dialect::OpenAiResponses => only(&[
            "model",
            "input",
            "instructions",
            "parallel_tool_calls",
            "reasoning",
            "text",
            "tool_choice",
            "tools",
            "truncation",
        ]),
    }
}

/// An object with some of its members, and others more.
fn kept(body: &[u8], keep: impl Fn(&[u8]) -> bool, more: &[(&str, &str)]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + 32);
    let mut add = |key: &[u8], value: &[u8]| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.push(b'"');
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value);
    };
    let read = skim::members(body, |member| {
        if keep(member.key) {
            add(member.key, member.value);
        }
    });
    for (key, value) in more {
        add(key.as_bytes(), value.as_bytes());
    }
    match read {
        Ok(()) if out.is_empty() => Bytes::from_static(b"{}"),
        Ok(()) => {
            out.push(b'}');
            Bytes::from(out)
        }
        Err(NoObject) => Bytes::copy_from_slice(body),
    }
}

/// The 404 of a model whose upstreams cannot count.
#[must_use]
pub fn not_counted(model: &str) -> ApiError {
    let message = format!("no upstream of `{model}` can count tokens");
    ApiError::new(ErrorKind::NotFound, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::capabilities::CapabilityTable;

    fn count(client: Dialect, provider: Dialect, body: &Value) -> Value {
        let capabilities = CapabilityTable::embedded().of("vertex", "m");
        let body = Bytes::from(body.to_string());
        let asked = Translator::new(client, provider)
            .count(&body, &Target::new("m", &capabilities))
            .unwrap();
        serde_json::from_slice(&asked.body).unwrap()
    }

    #[test]
    fn a_count_is_asked_for_in_the_providers_words() {
        let messages = json!({"model": "a", "system": "S",
            "messages": [{"role": "user", "content": "Hi"}]});
        assert_eq!(
            count(Dialect::AnthropicMessages, Dialect::Gemini, &messages),
            json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "systemInstruction": {"parts": [{"text": "S"}]}})
        );
        let contents = json!({"contents": [{"parts": [{"text": "Hi"}]}]});
        let said = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]);
        let expected = json!({"model": "m", "messages": said});
        let whole = json!({ "generateContentRequest": contents });
        for body in [&contents, &whole] {
            let asked = count(Dialect::Gemini, Dialect::AnthropicMessages, body);
            assert_eq!(asked, expected);
        }
        let asked = count(Dialect::Gemini, Dialect::BedrockConverse, &contents);
        let said = json!([{"role": "user", "content": [{"text": "Hi"}]}]);
        assert_eq!(asked, json!({"input": {"converse": {"messages": said}}}));
        let asked = count(
            Dialect::AnthropicMessages,
            Dialect::OpenAiResponses,
            &messages,
        );
        assert_eq!(asked.get("max_output_tokens"), None);
        assert_eq!(asked["model"], "m");
    }

    #[test]
    fn a_count_is_told_in_the_clients_words_and_never_invented() {
        let between = |client, provider| Translator::new(client, provider);
        let told = between(Dialect::AnthropicMessages, Dialect::Gemini);
        assert_eq!(
            told.counted(br#"{"totalTokens":7,"totalBillableCharacters":20}"#)
                .unwrap(),
            r#"{"input_tokens":7}"#
        );
        let told = between(Dialect::Gemini, Dialect::AnthropicMessages);
        assert_eq!(
            told.counted(br#"{"input_tokens":7}"#).unwrap(),
            r#"{"totalTokens":7}"#
        );
        for body in ["{}", "[]", r#"{"input_tokens":"x"}"#, "<html>"] {
            assert!(told.counted(body.as_bytes()).is_err(), "{body}");
        }
    }
}
