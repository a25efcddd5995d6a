//! `thoughtSignature`: Gemini's own, and those that we wrap for its clients.
//!
//! The wire says bytes, and the SDK writes base64 in another alphabet than it read.
//! So signatures of other providers, which are text to us, travel inside of one.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::{STANDARD as STANDARD_ALPHABET, URL_SAFE};
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ir::{Signature, Thinking};

/// Stands before what we wrap.
const MARK: &[u8] = b"agentkube:";

/// The first nine bytes of it in base64, which are whole letters.
static MARKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"YWdlbnRrdWJl"));

/// "As a last resort", where a signature was lost or another model called the tool.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
pub(super) const SKIP: &str = "skip_thought_signature_validator";

/// Whoever gave a signature that is not wrapped: no model of another provider.
const GEMINI: &str = "gemini";

/// What is wrapped: of which model, and its signature or its opaque thoughts.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wrapped {
    #[serde(rename = "m")]
    model: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    redacted: Option<String>,
}

impl Wrapped {
    fn write(&self) -> String {
        let mut bytes = MARK.to_vec();
        // Strings only: this cannot fail.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        STANDARD.encode(bytes)
    }
}

/// A signature of another provider's thoughts, for a client.
pub(super) fn wrap(signature: &str, model: &str) -> String {
    let wrapped = Wrapped {
        model: model.to_owned(),
        signature: Some(signature.to_owned()),
        redacted: None,
    };
    wrapped.write()
}

/// Opaque thoughts of another provider, for a client.
pub(super) fn wrap_redacted(data: &str, model: &str) -> String {
    let wrapped = Wrapped {
        model: model.to_owned(),
        signature: None,
        redacted: Some(data.to_owned()),
    };
    wrapped.write()
}

/// Says of a call that another model made it.
pub(super) fn mark(model: &str) -> String {
    let wrapped = Wrapped {
        model: model.to_owned(),
        signature: None,
        redacted: None,
    };
    wrapped.write()
}

/// Thoughts as a client sent them back.
pub(super) fn thinking(text: String, signature: Option<&str>) -> Thinking {
    let Some(value) = signature else {
        return Thinking::Text {
            text,
            signature: None,
        };
    };
    match unwrap(value) {
        None => Thinking::Text {
            text,
            signature: Some(of_gemini(value)),
        },
        Some(Wrapped {
            model,
            redacted: Some(data),
            ..
        }) => Thinking::Redacted {
            data,
            model: Some(model),
        },
        Some(Wrapped {
            model, signature, ..
        }) => Thinking::Text {
            text,
            signature: signature.map(|value| Signature {
                value,
                model: Some(model),
            }),
        },
    }
}

/// The signature of a call as a client sent it back; none for calls of others.
pub(super) fn of_call(value: &str) -> Option<Signature> {
    unwrap(value).is_none().then(|| of_gemini(value))
}

fn of_gemini(value: &str) -> Signature {
    Signature {
        value: value.to_owned(),
        model: Some(GEMINI.to_owned()),
    }
}

fn unwrap(value: &str) -> Option<Wrapped> {
    let bytes = decode(value)?;
    serde_json::from_slice(bytes.strip_prefix(MARK)?).ok()
}

/// In whichever alphabet, with or without padding.
fn decode(value: &str) -> Option<Vec<u8>> {
    let alphabet = match value.contains(['-', '_']) {
        true => &URL_SAFE,
        false => &STANDARD_ALPHABET,
    };
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, lenient).decode(value).ok()
}

/// Base64 in the alphabet that all providers take.
pub(super) fn standard(data: String) -> String {
    let padding = (4 - data.len() % 4) % 4;
    if padding == 0 && !data.contains(['-', '_']) {
        return data;
    }
    let mut data = data.replace('-', "+").replace('_', "/");
    data.extend(std::iter::repeat_n('=', padding));
    data
}

/// The bypass: takes thoughts of other providers out of a request and lets the calls
/// of their models pass the validation of signatures. None when there are none.
#[must_use]
pub fn strip_ours(body: &Bytes) -> Option<Bytes> {
    MARKED.find(body)?;
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let mut found = false;
    let contents = request.get_mut("contents")?.as_array_mut()?;
    for content in contents.iter_mut() {
        let Some(parts) = content.get_mut("parts").and_then(Value::as_array_mut) else {
            continue;
        };
        parts.retain_mut(|part| {
            let Some(name) = ["thoughtSignature", "thought_signature"]
                .into_iter()
                .find(|name| part.get(name).and_then(Value::as_str).is_some_and(is_ours))
            else {
                return true;
            };
            found = true;
            let is_call = ["functionCall", "function_call"]
                .iter()
                .any(|it| part.get(it).is_some());
            if is_call && let Some(signature) = part.get_mut(name) {
                *signature = Value::from(SKIP);
            }
            is_call
        });
    }
    if !found {
        return None;
    }
    // A turn that only thought says nothing any more.
    contents.retain(|content| {
        let parts = content.get("parts").and_then(Value::as_array);
        parts.is_none_or(|parts| !parts.is_empty())
    });
    serde_json::to_vec(&request).ok().map(Bytes::from)
}

fn is_ours(value: &str) -> bool {
    unwrap(value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_survives_either_alphabet() {
        // What base64 makes of it differs between the alphabets.
        let original = "EqQBCkYIBBgC??>>~~/+==";
        let wrapped = wrap(original, "claude-opus-4-5");
        let again = wrapped.replace('+', "-").replace('/', "_");
        for sent in [
            wrapped.as_str(),
            again.as_str(),
            again.trim_end_matches('='),
        ] {
            let Thinking::Text { signature, .. } = thinking("t".into(), Some(sent)) else {
                panic!("{sent}");
            };
            let signature = signature.unwrap();
            assert_eq!(signature.value, original);
            assert_eq!(signature.model.as_deref(), Some("claude-opus-4-5"));
        }
    }

    #[test]
    fn geminis_own_signature_is_of_no_other_model() {
        let Thinking::Text { signature, .. } = thinking(String::new(), Some("Q2lS")) else {
            panic!("no text");
        };
        assert_eq!(signature.unwrap().model.as_deref(), Some("gemini"));
        assert_eq!(of_call("Q2lS").unwrap().value, "Q2lS");
        assert_eq!(of_call(&mark("m")), None);
    }

    #[test]
    fn the_bypass_keeps_what_is_geminis_and_lets_calls_of_others_pass() {
        let own = Bytes::from_static(
            br#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"Q2lS"}]}]}"#,
        );
        assert_eq!(strip_ours(&own), None);
        let body = format!(
            r#"{{"contents":[{{"role":"model","parts":[{{"text":"h","thought":true,"thoughtSignature":"{}"}},{{"functionCall":{{"name":"f"}},"thoughtSignature":"{}"}}]}},{{"role":"model","parts":[{{"thought":true,"thoughtSignature":"{}"}}]}}]}}"#,
            wrap("E", "m"),
            mark("m"),
            wrap_redacted("R", "m"),
        );
        let stripped = strip_ours(&Bytes::from(body)).unwrap();
        let stripped: Value = serde_json::from_slice(&stripped).unwrap();
        let expected = serde_json::json!({"contents": [{"role": "model", "parts": [
            {"functionCall": {"name": "f"}, "thoughtSignature": SKIP},
        ]}]});
        assert_eq!(stripped, expected);
    }

    #[test]
    fn data_is_in_the_alphabet_that_all_take() {
        assert_eq!(standard("iVBO".into()), "iVBO");
        assert_eq!(standard("_-8".into()), "/+8=");
    }
}
