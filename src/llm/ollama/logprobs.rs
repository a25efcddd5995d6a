//! Log probabilities. Ollama lists them; OpenAI, whose form the IR has, puts the
//! list into `content` and insists on all members of an entry.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json;

#[derive(Deserialize)]
struct Token {
    token: String,
    logprob: serde_json::Number,
    bytes: Option<Vec<u8>>,
    top_logprobs: Option<Vec<Token>>,
}

#[derive(Serialize)]
struct OutToken<'a> {
    token: &'a str,
    logprob: &'a serde_json::Number,
    bytes: Option<&'a [u8]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<OutToken<'a>>>,
}

impl<'a> OutToken<'a> {
    fn of(token: &'a Token, is_top: bool) -> Self {
        let top = token.top_logprobs.as_deref().unwrap_or_default();
        Self {
            token: &token.token,
            logprob: &token.logprob,
            bytes: token.bytes.as_deref().or_else(|| utf8(&token.token)),
            top_logprobs: is_top.then(|| top.iter().map(|it| Self::of(it, false)).collect()),
        }
    }
}

/// The bytes of a token that nobody listed; none for a part of a character.
fn utf8(token: &str) -> Option<&[u8]> {
    (!token.contains(char::REPLACEMENT_CHARACTER)).then_some(token.as_bytes())
}

#[derive(Serialize)]
struct OutContent<'a> {
    content: Vec<OutToken<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// The list of Ollama → `{"content":[…]}`; none when it is empty or no such list.
pub(super) fn to_ir(raw: &RawValue) -> Option<Box<RawValue>> {
    let tokens: Vec<Token> = serde_json::from_str(raw.get()).ok()?;
    if tokens.is_empty() {
        return None;
    }
    let content = tokens.iter().map(|token| OutToken::of(token, true));
    let content = OutContent {
        content: content.collect(),
    };
    RawValue::from_string(json::to_line(&content)).ok()
}

/// `{"content":[…]}` → the list of Ollama, which has the same entries.
pub(super) fn from_ir(raw: &RawValue) -> Option<Box<RawValue>> {
    let content: Content<'_> = serde_json::from_str(raw.get()).ok()?;
    let content = content.content.filter(|content| content.get() != "null")?;
    // On one line for every reader.
    let mut line = String::with_capacity(content.get().len());
    json::compact(content.get(), &mut line);
    RawValue::from_string(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn entries_get_all_their_members_and_come_back() {
        let list = raw(
            r#"[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Yo","logprob":-1}]},{"token":"\ufffd","logprob":-2}]"#,
        );
        let ir = to_ir(&list).unwrap();
        assert_eq!(
            ir.get(),
            r#"{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Yo","logprob":-1,"bytes":[89,111]}]},{"token":"�","logprob":-2,"bytes":null,"top_logprobs":[]}]}"#
        );
        let list = from_ir(&ir).unwrap();
        assert!(list.get().starts_with(r#"[{"token":"Hi""#));
        assert_eq!(to_ir(&list).unwrap().get(), ir.get());
    }

    #[test]
    fn no_list_is_none() {
        for json in ["null", "[]", "{}", r#"[{"token":1}]"#] {
            assert!(to_ir(&raw(json)).is_none(), "{json}");
        }
        assert!(from_ir(&raw(r#"{"content":null}"#)).is_none());
    }
}
