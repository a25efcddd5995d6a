//! Where a part of a request stood, and what its fields are called.

/// Where something stood in the client's request. Rendered only when it has to be
/// named (`codec::Names::path`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct At {
    /// Which list it stood in.
    pub list: List,
    /// Its place in the list.
    pub item: u32,
    /// The place of a content block (or of a tool call) in the item; none where
    /// the content was a plain string, or the item itself is meant.
    pub part: Option<u32>,
    /// The place of a block within a tool's result.
    pub nested: Option<u32>,
}

/// The lists that a request is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum List {
    /// The request itself.
    #[default]
    Top,
    /// The system prompt, where it is apart from the messages.
    System,
    /// The messages; the part is a content block.
    Messages,
    /// The messages; the part is a tool call, where those are apart from content.
    Calls,
    /// The tools.
    Tools,
}

impl At {
    /// An item of a list.
    #[must_use]
    pub fn item(list: List, item: usize) -> Self {
        Self {
            list,
            item: index(item),
            part: None,
            nested: None,
        }
    }

    /// A part of this item.
    #[must_use]
    pub fn part(self, part: usize) -> Self {
        Self {
            part: Some(index(part)),
            ..self
        }
    }

    /// A block within the tool's result that stands here.
    #[must_use]
    pub fn nested(self, nested: usize) -> Self {
        Self {
            nested: Some(index(nested)),
            ..self
        }
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The fields of a request that the IR knows, whatever a dialect calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Field {
    // Of the request.
    Choices,
    FrequencyPenalty,
    LogitBias,
    Logprobs,
    MaxTokens,
    Metadata,
    ParallelToolCalls,
    PresencePenalty,
    Reasoning,
    ReasoningBudget,
    ReasoningDisplay,
    ReasoningEffort,
    ResponseFormat,
    Seed,
    Stop,
    Temperature,
    ToolChoice,
    TopK,
    TopLogprobs,
    TopP,
    User,
    // Of a tool.
    ToolStrict,
    ToolType,
    // Of a message or a block; the thing itself is `Whole`.
    Arguments,
    CacheControl,
    Citations,
    DocumentContext,
    DocumentTitle,
    ImageDetail,
    IsError,
    MessageName,
    Role,
    SchemaName,
    SchemaStrict,
    Signature,
    Source,
    Thinking,
    Whole,
}
