//! Thoughts and signatures ⇄ the id of a tool call.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::SignatureStore;
use crate::codec::Replays;
use crate::ir::{Block, ChatRequest, ChatResponse, Content, Role, Signature, Thinking};

/// Longest id that carries its own seal: bytes.
const ID_LIMIT: usize = 512;
/// An id that carries everything.
const INLINE: &str = "ak1_";
/// An id under which the store has it.
const STORED: &str = "ak2_";

/// The key to what one caller had sealed.
#[derive(Clone)]
pub(crate) struct Seal {
    /// Where long ones are kept.
    pub(crate) store: Option<Arc<dyn SignatureStore>>,
    /// Whose they are: nobody gets those of another.
    pub(crate) tenant: String,
    /// The upstream's name of the model.
    pub(crate) model: String,
}

/// What is sealed. Short names: it has to fit into an id.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// The provider's id of the call.
    #[serde(rename = "i")]
    pub(super) id: String,
    /// The model.
    #[serde(rename = "m")]
    model: String,
    /// Thoughts before the call.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    thoughts: Vec<Thought>,
    /// The signature of the call itself.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Thought {
    #[serde(rename = "r")]
    Redacted(String),
    #[serde(rename = "t")]
    Signed(String, String),
}

impl Seal {
    /// The id for the client: the provider's own when there is nothing to keep.
    pub(crate) fn id(&self, id: &str, thoughts: Vec<Thinking>, call: Option<String>) -> String {
        let thoughts: Vec<Thought> = thoughts.into_iter().filter_map(Thought::of).collect();
        if thoughts.is_empty() && call.is_none() {
            return id.to_owned();
        }
        let sealed = Sealed {
            id: id.to_owned(),
            model: self.model.clone(),
            thoughts,
            call,
        };
        // Strings only: this cannot fail.
        let json = serde_json::to_vec(&sealed).unwrap_or_default();
        if json.len() * 4 / 3 + INLINE.len() < ID_LIMIT {
            return format!("{INLINE}{}", URL_SAFE_NO_PAD.encode(json));
        }
        let outer = format!("{STORED}{id}");
        if let Some(store) = &self.store {
            store.put(&self.key(&outer), json);
        }
        outer
    }

    fn open(&self, outer: &str) -> Option<Opened> {
        if let Some(sealed) = open_inline(outer) {
            return Some(Opened::Whole(sealed));
        }
        let id = outer.strip_prefix(STORED)?;
        let kept = self
            .store
            .as_ref()
            .and_then(|store| store.get(&self.key(outer)));
        let sealed = kept.and_then(|json| serde_json::from_slice(&json).ok());
        Some(sealed.map_or_else(|| Opened::Lost(id.to_owned()), Opened::Whole))
    }

    /// Lengths first: no tenant can be mistaken for another with a longer name.
    fn key(&self, outer: &str) -> String {
        format!("{}:{}:{outer}", self.tenant.len(), self.tenant)
    }
}

enum Opened {
    Whole(Sealed),
    Lost(String),
}

/// The provider's id within a sealed one.
pub(super) fn inner_id(outer: &str) -> Option<String> {
    if let Some(sealed) = open_inline(outer) {
        return Some(sealed.id);
    }
    outer.strip_prefix(STORED).map(str::to_owned)
}

fn open_inline(outer: &str) -> Option<Sealed> {
    let sealed = outer.strip_prefix(INLINE)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()
}

impl Thought {
    /// None for thoughts without a proof: no provider wants them back.
    fn of(thinking: Thinking) -> Option<Self> {
        match thinking {
            Thinking::Redacted { data, .. } => Some(Self::Redacted(data)),
            Thinking::Text { text, signature } => Some(Self::Signed(text, signature?.value)),
        }
    }

    fn back(self, model: &str) -> Thinking {
        match self {
            Self::Redacted(data) => Thinking::Redacted {
                data,
                model: Some(model.to_owned()),
            },
            Self::Signed(text, value) => Thinking::Text {
                text,
                signature: Some(Signature {
                    value,
                    model: Some(model.to_owned()),
                }),
            },
        }
    }
}

/// Puts back what the ids of a request carry, and the ids as the provider knows
/// them.
pub(crate) fn restore(request: &mut ChatRequest, seal: &Seal) {
    for message in &mut request.messages {
        let sealed = message.blocks.iter().any(|block| match &block.content {
            Content::ToolCall { id, .. } | Content::ToolResult { id, .. } => is_sealed(id),
            Content::Media(_)
            | Content::Other(_)
            | Content::Refusal(_)
            | Content::Text(_)
            | Content::Thinking(_) => false,
        });
        if sealed {
            let is_models = message.role == Role::Assistant;
            message.blocks = restored(std::mem::take(&mut message.blocks), is_models, seal);
        }
    }
}

fn is_sealed(id: &str) -> bool {
    id.starts_with(INLINE) || id.starts_with(STORED)
}

fn restored(blocks: Vec<Block>, is_models: bool, seal: &Seal) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::with_capacity(blocks.len() + 1);
    let mut thought = false;
    for mut block in blocks {
        match &mut block.content {
            Content::ToolResult { id, .. } => {
                if let Some(inner) = inner_id(id) {
                    *id = inner;
                }
            }
            Content::ToolCall { id, signature, .. } if is_models => match seal.open(id) {
                Some(Opened::Whole(sealed)) => {
                    *id = sealed.id;
                    let model = &sealed.model;
                    *signature = sealed.call.map(|value| Signature {
                        value,
                        model: Some(model.clone()),
                    });
                    let thoughts = sealed.thoughts.into_iter().map(|it| it.back(model));
                    let thoughts = thoughts.map(|it| Block::new(Content::Thinking(it), block.at));
                    // The first ones stood before the text of their turn.
                    let place = if thought { out.len() } else { 0 };
                    let before = out.len();
                    out.splice(place..place, thoughts);
                    thought |= out.len() > before;
                }
                Some(Opened::Lost(inner)) => *id = inner,
                None => {}
            },
            Content::ToolCall { .. }
            | Content::Media(_)
            | Content::Other(_)
            | Content::Refusal(_)
            | Content::Text(_)
            | Content::Thinking(_) => {}
        }
        out.push(block);
    }
    if thought {
        // What the client showed of them is the same once more.
        out.retain(|block| {
            !matches!(
                &block.content,
                Content::Thinking(Thinking::Text {
                    signature: None,
                    ..
                })
            )
        });
    }
    out
}

/// Seals what the client of an answer in one piece would not send back.
pub(crate) fn seal_response(response: &mut ChatResponse, replays: Replays, seal: &Seal) {
    for choice in &mut response.choices {
        let mut thoughts = Vec::new();
        for content in &mut choice.content {
            match content {
                Content::Thinking(thinking) if !replays.thinking => thoughts.push(thinking.clone()),
                Content::ToolCall { id, signature, .. } => {
                    let call = signature
                        .as_ref()
                        .filter(|_| !replays.call_signatures)
                        .map(|signature| signature.value.clone());
                    *id = seal.id(id, std::mem::take(&mut thoughts), call);
                }
                Content::Thinking(_)
                | Content::Media(_)
                | Content::Other(_)
                | Content::Refusal(_)
                | Content::Text(_)
                | Content::ToolResult { .. } => {}
            }
        }
    }
}
