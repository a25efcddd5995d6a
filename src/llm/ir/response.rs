//! An answer in one piece.

use serde_json::value::RawValue;

use super::Content;
use crate::UsageReport;

/// An answer.
#[derive(Clone, Debug)]
pub struct ChatResponse {
    /// The provider's id of it; empty where it gave none.
    pub id: String,
    /// When it was made: seconds since 1970, where the provider says it.
    pub created: Option<u64>,
    /// One, or as many as were asked for.
    pub choices: Vec<Choice>,
    /// What it cost.
    pub usage: UsageReport,
}

/// One answer of several.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its place.
    pub index: u32,
    /// What is said.
    pub content: Vec<Content>,
    /// Why it ended.
    pub finish: FinishReason,
    /// Log probabilities, as OpenAI writes them.
    pub logprobs: Option<Box<RawValue>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The provider's filter stepped in.
    ContentFilter,
    /// The context window is full.
    ContextWindow,
    /// `max_tokens` was reached.
    Length,
    /// A tool of the provider is at work: to be continued.
    Pause,
    /// The model refused.
    Refusal,
    /// It said all.
    Stop,
    /// It came to one of the client's stop texts.
    StopSequence(Option<String>),
    /// It waits for the results of tools.
    ToolCalls,
    /// A word that the IR does not know, as the provider wrote it.
    Other(String),
}
