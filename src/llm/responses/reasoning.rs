//! Thoughts ⇄ the `encrypted_content` of reasoning items.
//!
//! A Responses client sends reasoning items back as it got them. What another
//! provider wants back (Claude's signatures) is therefore sealed into
//! `encrypted_content`; and what OpenAI encrypted is kept as the signature of
//! thoughts, marked as ours, so that no other provider is ever given it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::custody;
use crate::ir::{Signature, Thinking};

/// Before what we sealed for a client.
const SEALED: &str = "agentkube.1.";
/// Before what OpenAI encrypted, as a signature in the IR: `…id:content`.
const THEIRS: &str = "agentkube.r.";

/// What is sealed. The text goes along: clients may leave the summary out.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "m")]
    model: String,
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    redacted: Option<String>,
}

/// `encrypted_content` for a client, of thoughts of this model.
pub(super) fn seal(thinking: &Thinking, model: &str) -> String {
    let mut sealed = Sealed {
        model: model.to_owned(),
        text: String::new(),
        signature: None,
        redacted: None,
    };
    match thinking {
        Thinking::Redacted { data, .. } => sealed.redacted = Some(data.clone()),
        Thinking::Text { text, signature } => {
            if let Some((_, theirs)) = signature.as_ref().and_then(of_openai) {
                return theirs.to_owned();
            }
            sealed.text.clone_from(text);
            sealed.signature = signature.as_ref().map(|it| it.value.clone());
        }
    }
    // Strings only: this cannot fail.
    let json = serde_json::to_vec(&sealed).unwrap_or_default();
    format!("{SEALED}{}", URL_SAFE_NO_PAD.encode(json))
}

/// Thoughts that a client sent back. `text` is what it shows of them.
pub(super) fn open(id: &str, encrypted: Option<&str>, text: String) -> Thinking {
    let Some(encrypted) = encrypted else {
        return Thinking::Text {
            text,
            signature: None,
        };
    };
    let Some(sealed) = encrypted.strip_prefix(SEALED) else {
        return Thinking::Text {
            text,
            signature: Some(keep(id, encrypted)),
        };
    };
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok();
    let sealed = sealed.and_then(|json| serde_json::from_slice::<Sealed>(&json).ok());
    match sealed {
        Some(Sealed {
            model,
            redacted: Some(data),
            ..
        }) => Thinking::Redacted {
            data,
            model: Some(model),
        },
        Some(sealed) => Thinking::Text {
            text: sealed.text,
            signature: Some(match sealed.signature {
                Some(value) => Signature {
                    value,
                    model: Some(sealed.model),
                },
                None => custody::signature(custody::mark(&sealed.model)),
            }),
        },
        // Damaged on the way: lost.
        None => Thinking::Text {
            text,
            signature: None,
        },
    }
}

/// What OpenAI encrypted, as a signature.
pub(super) fn keep(id: &str, encrypted: &str) -> Signature {
    Signature {
        value: format!("{THEIRS}{id}:{encrypted}"),
        model: None,
    }
}

/// The id and the content that OpenAI encrypted, where a signature is that.
pub(super) fn of_openai(signature: &Signature) -> Option<(&str, &str)> {
    signature.value.strip_prefix(THEIRS)?.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_thought_comes_back_byte_for_byte_and_knows_its_model() {
        let thought = Thinking::Text {
            text: String::from("Hm.\n\u{2028}"),
            signature: Some(Signature {
                value: String::from("EqQB"),
                model: None,
            }),
        };
        let sealed = seal(&thought, "claude-x");
        let Thinking::Text { text, signature } = open("rs_1", Some(&sealed), String::new()) else {
            panic!("redacted");
        };
        assert_eq!(text, "Hm.\n\u{2028}");
        let signature = signature.unwrap();
        assert_eq!(signature.value, "EqQB");
        assert_eq!(signature.model.as_deref(), Some("claude-x"));
    }

    #[test]
    fn redacted_thoughts_survive_and_know_their_model() {
        let redacted = |model: Option<&str>| Thinking::Redacted {
            data: String::from("opaque"),
            model: model.map(str::to_owned),
        };
        let sealed = seal(&redacted(None), "m");
        let thought = open("", Some(&sealed), String::new());
        assert_eq!(thought, redacted(Some("m")));
    }

    #[test]
    fn what_openai_encrypted_is_given_to_nobody_else() {
        let thought = open("rs_1", Some("gAAAA"), String::from("sum"));
        let Thinking::Text {
            signature: Some(signature),
            ..
        } = &thought
        else {
            panic!("no signature");
        };
        assert!(custody::is_marked(signature), "no other writer takes it");
        assert_eq!(of_openai(signature), Some(("rs_1", "gAAAA")));
        assert_eq!(seal(&thought, "m"), "gAAAA");
    }

    #[test]
    fn a_damaged_seal_is_lost_not_believed() {
        let shown = String::from("x");
        let damaged = open("", Some("agentkube.1.!!"), shown.clone());
        let unsigned = Thinking::Text {
            text: shown,
            signature: None,
        };
        assert_eq!(damaged, unsigned);
    }
}
