//! The events of a streamed answer.

use serde_json::value::RawValue;

use super::FinishReason;

/// What a stream says. How it ends, and what it costs, the watcher of the wire
/// knows (`stream::StreamDecoder`).
#[derive(Clone, Debug)]
pub enum Event {
    /// The answer begins: exactly one, before all others but `Ping`.
    Start {
        /// The provider's id of it; empty where it gave none.
        id: String,
        /// Seconds since 1970, where the provider says it.
        created: Option<u64>,
    },
    /// A block begins. Blocks of one choice may overlap.
    Begin {
        /// The choice that it belongs to.
        choice: u32,
        /// Its number, unique in the stream and rising.
        block: u32,
        /// What it is.
        start: BlockStart,
    },
    /// More of an open block: text, thoughts, or a piece of a tool's arguments.
    Delta {
        /// The block.
        block: u32,
        /// Never empty.
        text: String,
    },
    /// A piece of the signature of an open block.
    Sign {
        /// The block.
        block: u32,
        /// The piece.
        signature: String,
    },
    /// A block ends. Not every wire says it: what is open at `Finish` ends there.
    End {
        /// The block.
        block: u32,
    },
    /// Log probabilities of what came just before, as OpenAI writes them.
    Logprobs {
        /// The choice that they belong to.
        choice: u32,
        /// `{"content":[…]}`.
        logprobs: Box<RawValue>,
    },
    /// A choice ends.
    Finish {
        /// The choice.
        choice: u32,
        /// Why.
        reason: FinishReason,
    },
    /// The provider is alive.
    Ping,
}

impl BlockStart {
    /// How much text it brings: bytes.
    pub(crate) fn text(&self) -> usize {
        match self {
            Self::Redacted { data, .. } => data.len(),
            Self::Refusal | Self::Text | Self::Thinking => 0,
            Self::ToolCall {
                id,
                name,
                signature,
            } => id.len() + name.len() + signature.as_ref().map_or(0, String::len),
        }
    }
}

/// What a block of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockStart {
    /// Opaque thoughts; no deltas follow.
    Redacted {
        /// All of them.
        data: String,
    },
    /// The model does not want to.
    Refusal,
    /// Text.
    Text,
    /// Thoughts.
    Thinking,
    /// A call of a tool; the deltas are its arguments.
    ToolCall {
        /// The provider's id of it.
        id: String,
        /// The tool.
        name: String,
        /// What the provider wants back with the call (Gemini).
        signature: Option<String>,
    },
}
