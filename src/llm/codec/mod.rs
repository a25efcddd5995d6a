//! What a dialect must be able to do to take part in translation, and the one
//! place where dialects are registered. `ir` tells how one is added.

mod client;
mod encode;
mod frames;
mod held;
mod ids;
mod provider;

pub(crate) use client::{ClientWire, EventWriter, Inbound, Names, Replays, Reply, Unwritable};
pub(crate) use encode::Encode;
pub use frames::{FrameError, Framing};
pub(crate) use frames::{Frames, Piece};
pub(crate) use held::Held;
pub(crate) use ids::{Limits, ToolNames, fit};
pub(crate) use provider::{Encoded, EventReader, ModelMember, ProviderWire, Unreadable, Watch};

use crate::{Dialect, anthropic, bedrock, gemini, ollama, openai, responses};

/// What can be done for clients of this dialect.
pub(crate) fn client(dialect: Dialect) -> &'static dyn ClientWire {
    match dialect {
        Dialect::AnthropicMessages => &anthropic::Wire,
        Dialect::BedrockConverse => &bedrock::Wire,
        Dialect::Gemini => &gemini::Wire,
        Dialect::OllamaChat => &ollama::Wire,
        Dialect::OpenAiChat => &openai::Wire,
        Dialect::OpenAiResponses => &responses::Wire,
    }
}

/// What can be done with providers of this dialect.
pub(crate) fn provider(dialect: Dialect) -> &'static dyn ProviderWire {
    match dialect {
        Dialect::AnthropicMessages => &anthropic::Wire,
        Dialect::BedrockConverse => &bedrock::Wire,
        Dialect::Gemini => &gemini::Wire,
        Dialect::OllamaChat => &ollama::Wire,
        Dialect::OpenAiChat => &openai::Wire,
        Dialect::OpenAiResponses => &responses::Wire,
    }
}
