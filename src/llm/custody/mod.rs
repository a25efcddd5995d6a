//! Custody of what a provider wants back and a client cannot keep.
//!
//! Claude's thoughts come with a signature, Gemini's calls too, and both must be
//! given back with the results of tools. A client that knows only OpenAI chat
//! replays nothing but its tool calls, so they travel in the id of the call that
//! came after them, or, when they are too long for an id, in a store under it.
//!
//! # Guarantees
//! - A sealed id is unwrapped before any upstream sees it.
//! - What was lost is not invented: the writers of requests then ask for an answer
//!   in the way that the provider documents for it.
//! - Nothing is given back to a model other than the one that gave it.

mod passthrough;
mod seal;
mod store;
mod stream;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use crate::gemini::strip_ours as strip_wrapped;
pub use passthrough::{strip_marked, strip_sealed, unwrap_ids};
pub(crate) use seal::{Seal, restore, seal_response};
pub use store::{MemoryStore, SignatureStore};
pub(crate) use stream::Custodian;

use crate::ir::{Signature, Thinking};

/// Stands before the signatures that we give to thoughts whose provider signs
/// nothing: clients of Anthropic's dialect expect one.
const MARK: &str = "agentkube.";

/// A signature that says only which model thought so.
pub(crate) fn mark(model: &str) -> String {
    format!("{MARK}{}", URL_SAFE_NO_PAD.encode(model))
}

/// A signature as a client sent it back.
pub(crate) fn signature(value: String) -> Signature {
    let model = value
        .strip_prefix(MARK)
        .and_then(|model| URL_SAFE_NO_PAD.decode(model).ok())
        .and_then(|model| String::from_utf8(model).ok());
    Signature { value, model }
}

/// True for a signature of our own: no provider may see it.
pub(crate) fn is_marked(signature: &Signature) -> bool {
    signature.value.starts_with(MARK)
}

/// True when it is of our own and names this model.
pub(crate) fn is_marked_by(signature: &Signature, model: &str) -> bool {
    is_marked(signature) && signature.model.as_deref() == Some(model)
}

/// Thoughts go back only with the proof that this model gave.
pub(crate) fn may_be_given_back(thinking: &Thinking, model: &str) -> bool {
    match thinking {
        Thinking::Redacted { model: by, .. } => by.as_deref().is_none_or(|by| by == model),
        Thinking::Text { signature, .. } => signature.as_ref().is_some_and(|signature| {
            !is_marked(signature) && signature.model.as_deref().is_none_or(|by| by == model)
        }),
    }
}

#[cfg(test)]
mod tests;
