//! A request for an answer.

use serde_json::Number;
use serde_json::value::RawValue;

use super::{At, Echo, Namespaces, Tool, ToolChoice};
use crate::Dialect;

/// A request, in the terms of no dialect.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The dialect that it was read from.
    pub from: Dialect,
    /// The system prompt: blocks that stood before or apart from the messages.
    pub system: Vec<Block>,
    /// The conversation. Roles need not alternate: writers merge where they must.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must, and which.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once; none: as the provider likes.
    pub parallel_tool_calls: Option<bool>,
    /// At most so many tokens of output, reasoning included.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How many answers (`n`); none is one.
    pub choices: Option<u32>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<Logprobs>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// As events.
    pub stream: bool,
    /// A stream shall end with usage (OpenAI chat: `stream_options`); the others
    /// always do.
    pub include_usage: bool,
    /// An opaque name of the end user.
    pub user: Option<String>,
    /// Key-value pairs that the provider keeps with the request.
    pub metadata: Option<Box<RawValue>>,
    /// Top-level fields that the IR has no room for.
    pub extra: Vec<Extra>,
    /// Fields of messages, blocks and tools that the IR has no room for: every
    /// writer names them as dropped.
    pub unknown: Vec<Unknown>,
    /// Tools whose names are flattened.
    pub namespaces: Namespaces,
    /// What the client's dialect repeats in its answers.
    pub echo: Echo,
}

impl ChatRequest {
    /// A request that asks for nothing yet.
    #[must_use]
    pub fn new(from: Dialect) -> Self {
        Self {
            from,
            system: Vec::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_tokens: None,
            stop: Vec::new(),
            sampling: Sampling::default(),
            choices: None,
            logprobs: None,
            response_format: None,
            reasoning: None,
            stream: false,
            include_usage: false,
            user: None,
            metadata: None,
            extra: Vec::new(),
            unknown: Vec::new(),
            namespaces: Namespaces::default(),
            echo: Echo::default(),
        }
    }
}

/// A field within the request that the IR has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What it belongs to.
    pub at: At,
    /// Its name.
    pub name: String,
}

/// A top-level field of one dialect, kept as it came.
#[derive(Clone, Debug)]
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Its value; never `null`.
    pub value: Box<RawValue>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Assistant,
    /// Instructions in the middle of a conversation.
    System,
    /// People, and the results of tools.
    User,
}

/// One turn, or a part of one.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub blocks: Vec<Block>,
    /// Which participant, where a dialect has names.
    pub name: Option<String>,
    /// Where it stood.
    pub at: At,
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it is.
    pub content: Content,
    /// A breakpoint of the provider's prompt cache behind it.
    pub cache: Option<CacheControl>,
    /// Where it stood.
    pub at: At,
}

impl Block {
    /// A block without a cache breakpoint.
    #[must_use]
    pub fn new(content: Content, at: At) -> Self {
        Self {
            content,
            cache: None,
            at,
        }
    }
}

/// What a block says.
#[derive(Clone, Debug)]
pub enum Content {
    /// An image, a document, a sound.
    Media(Media),
    /// A block of the dialect that the request came in, which the IR does not
    /// know.
    Other(Box<RawValue>),
    /// The model did not want to.
    Refusal(String),
    /// Text.
    Text(String),
    /// The model thought.
    Thinking(Thinking),
    /// The model calls a tool.
    ToolCall {
        /// As the client knows it.
        id: String,
        /// The tool.
        name: String,
        /// As the model wrote them; should be a JSON object, need not be JSON.
        arguments: String,
        /// What the provider wants back with the call (Gemini).
        signature: Option<Signature>,
    },
    /// What a tool said.
    ToolResult {
        /// The call that it answers.
        id: String,
        /// Text, images, documents.
        content: Vec<Block>,
        /// It failed.
        is_error: bool,
    },
}

/// Thoughts. Providers want them back unchanged, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// Opaque (`redacted_thinking`).
    Redacted {
        /// The whole of it.
        data: String,
        /// The model that thought so, where it is known, as of [`Signature`].
        model: Option<String>,
    },
    /// Text, perhaps empty where only the signature is shown.
    Text {
        /// What may be shown.
        text: String,
        /// Proof that the provider wrote it; none: of a provider that signs
        /// nothing, or lost.
        signature: Option<Signature>,
    },
}

/// A provider's proof over a part of an answer, bound to the model that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// As the provider wrote it.
    pub value: String,
    /// The model, where it is known (it is, for what custody kept).
    pub model: Option<String>,
}

/// Something that is not text.
#[derive(Clone, Debug)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source,
    /// A file name or a title.
    pub title: Option<String>,
    /// What is said about a document, apart from it.
    pub context: Option<String>,
    /// Citations of it are wanted.
    pub citations: bool,
    /// How closely an image is to be looked at (`low`, `high`).
    pub detail: Option<String>,
}

impl Media {
    /// Nothing but the thing itself.
    #[must_use]
    pub fn new(kind: MediaKind, source: Source) -> Self {
        Self {
            kind,
            source,
            title: None,
            context: None,
            citations: false,
            detail: None,
        }
    }
}

/// The kinds of media that dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Speech or other sound.
    Audio,
    /// PDF, text.
    Document,
    /// A picture.
    Image,
    /// A film.
    Video,
}

/// Where media come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The bytes themselves.
    Base64 {
        /// `image/png`.
        media_type: String,
        /// Standard alphabet, unchecked.
        data: String,
    },
    /// Blocks that make up a document.
    Blocks(Vec<Block>),
    /// A file that was uploaded to the provider before: means nothing to others.
    File(String),
    /// Plain text that makes up a document.
    Text(String),
    /// The provider fetches it.
    Url(String),
}

/// A breakpoint of the prompt cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheControl {
    /// `5m`, `1h`; none: the provider's default.
    pub ttl: Option<String>,
}

/// How tokens are drawn. Numbers stay as they were written.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sampling {
    pub temperature: Option<Number>,
    pub top_p: Option<Number>,
    pub top_k: Option<Number>,
    pub frequency_penalty: Option<Number>,
    pub presence_penalty: Option<Number>,
    pub seed: Option<Number>,
    pub logit_bias: Option<Box<RawValue>>,
}

/// Log probabilities of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logprobs {
    /// And of so many alternatives.
    pub top: Option<u32>,
}

/// The form of the answer, other than text.
#[derive(Clone, Debug)]
pub enum ResponseFormat {
    /// Some JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        /// A name for it.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Box<RawValue>,
        /// The provider must keep to it.
        strict: Option<bool>,
    },
}

/// How much to think. Dialects say it as an effort, a budget or a mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Thinking was switched on (true) or off (false); none: by effort or as the
    /// model does.
    pub enabled: Option<bool>,
    /// The model decides how much (Anthropic's `adaptive`).
    pub adaptive: bool,
    /// How hard.
    pub effort: Option<Effort>,
    /// At most so many tokens.
    pub budget: Option<u64>,
    /// Whether thoughts are to be shown, summarised (true) or left out (false).
    pub show: Option<bool>,
}

/// How hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    /// All of them, least first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// As the wires spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.as_str() == name)
    }
}
