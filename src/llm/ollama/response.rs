//! An answer in one piece.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::OutCounts;
use super::{logprobs, moment};
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Thinking};
use crate::object::Text;
use crate::{Failure, FailureKind, UsageReport, json};

/// An answer, or a line of one.
#[derive(Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) created_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<WireMessage<'a>>,
    pub(super) done: Option<bool>,
    #[serde(borrow)]
    pub(super) done_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<WireCall<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct WireCall<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: WireFunction<'a>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// A call, with an id where the server gave none.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

impl WireCall<'_> {
    /// `answer` is what tells this answer from others ([`name`]), `place` the call in
    /// it.
    pub(super) fn into_call(self, answer: &str, place: usize) -> Call {
        let arguments = self.function.arguments.map(RawValue::get);
        Call {
            id: match self.id {
                Some(id) if !id.as_str().is_empty() => id.into_string(),
                _ => format!("call_{answer}_{place}"),
            },
            name: self.function.name.into_string(),
            arguments: arguments.unwrap_or("{}").to_owned(),
        }
    }
}

/// What tells an answer from others: when it was made, where that is said to the
/// nanosecond.
pub(super) fn name(created_at: &str, unnamed: &str) -> String {
    let digits = created_at.chars().filter(char::is_ascii_digit).take(24);
    let digits: String = digits.collect();
    if digits.is_empty() {
        return unnamed.to_owned();
    }
    digits
}

/// Reads a provider's answer.
pub(super) fn to_ir(body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure> {
    let unreadable = || Failure::new(FailureKind::ServerError, "unreadable_answer");
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let message = wire.message.ok_or_else(unreadable)?;
    let created_at = wire.created_at.map(Text::into_string).unwrap_or_default();
    let answer = name(&created_at, unnamed);
    let mut content = Vec::new();
    if let Some(text) = message.thinking.filter(|text| !text.as_str().is_empty()) {
        content.push(Content::Thinking(Thinking::Text {
            text: text.into_string(),
            signature: None,
        }));
    }
    if let Some(text) = message.content.filter(|text| !text.as_str().is_empty()) {
        content.push(Content::Text(text.into_string()));
    }
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (place, call) in calls.into_iter().enumerate() {
        let call = call.into_call(&answer, place);
        content.push(Content::ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            signature: None,
        });
    }
    Ok(ChatResponse {
        id: String::new(),
        created: moment::seconds(&created_at),
        choices: vec![Choice {
            index: 0,
            content,
            finish: finish(wire.done_reason.as_ref().map(Text::as_str), called),
            logprobs: wire.logprobs.and_then(logprobs::to_ir),
        }],
        usage: UsageReport::Absent,
    })
}

/// Why an answer ended: there is no word for calls.
pub(super) fn finish(word: Option<&str>, called: bool) -> FinishReason {
    match word {
        Some("stop" | "") | None if called => FinishReason::ToolCalls,
        // The latter two answer a request without messages: there was nothing to say.
        Some("stop" | "" | "load" | "unload") | None => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}

/// The word for it.
pub(super) fn word(finish: &FinishReason) -> &str {
    match finish {
        // No word of Ollama's own, but none may say that all is well.
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::ContextWindow | FinishReason::Length | FinishReason::Pause => "length",
        FinishReason::Stop | FinishReason::StopSequence(_) | FinishReason::ToolCalls => "stop",
        FinishReason::Other(word) => word,
    }
}

/// An answer, or a line of one.
#[derive(Serialize)]
pub(super) struct OutBody<'a> {
    pub(super) model: &'a str,
    pub(super) created_at: &'a str,
    pub(super) message: OutMessage<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Box<RawValue>>,
    pub(super) done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done_reason: Option<&'a str>,
    /// How long it all took nobody but the provider knows, and most do not say.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<OutCounts>,
}

#[derive(Serialize)]
pub(super) struct OutMessage<'a> {
    pub(super) role: &'static str,
    pub(super) content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<OutCall<'a>>,
}

impl<'a> OutMessage<'a> {
    pub(super) fn of(content: &'a str) -> Self {
        Self {
            role: "assistant",
            content,
            thinking: None,
            tool_calls: Vec::new(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct OutCall<'a> {
    pub(super) id: &'a str,
    pub(super) function: OutFunction<'a>,
}

#[derive(Serialize)]
pub(super) struct OutFunction<'a> {
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) arguments: Box<RawValue>,
}

/// Arguments as the object that clients insist on, on one line.
pub(super) fn object(arguments: &str) -> Box<RawValue> {
    let object = json::object_of(arguments);
    let line = object.and_then(|object| {
        let mut line = String::with_capacity(object.get().len());
        json::compact(object.get(), &mut line);
        RawValue::from_string(line).ok()
    });
    line.unwrap_or_else(|| json::unreadable_arguments(arguments))
}

/// Writes an answer for a client: its first choice, since nobody can have asked for
/// more.
pub(super) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let created_at = moment::text(response.created.unwrap_or(reply.created));
    let first = response.choices.first();
    let contents = first.map(|it| it.content.as_slice()).unwrap_or_default();
    let (mut text, mut thoughts) = (String::new(), String::new());
    let mut tool_calls = Vec::new();
    for content in contents {
        match content {
            Content::Text(more) | Content::Refusal(more) => text.push_str(more),
            Content::Thinking(Thinking::Text { text: more, .. }) => thoughts.push_str(more),
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => tool_calls.push(OutCall {
                id,
                function: OutFunction {
                    index: tool_calls.len(),
                    name,
                    arguments: object(arguments),
                },
            }),
            // The wire has no room for them, and custody has the opaque ones.
            Content::Thinking(Thinking::Redacted { .. })
            | Content::Media(_)
            | Content::Other(_)
            | Content::ToolResult { .. } => {}
        }
    }
    let logprobs = first.and_then(|it| it.logprobs.as_deref());
    Bytes::from(json::to_line(&OutBody {
        model: &reply.model,
        created_at: &created_at,
        message: OutMessage {
            thinking: (!thoughts.is_empty()).then_some(thoughts.as_str()),
            tool_calls,
            ..OutMessage::of(&text)
        },
        logprobs: logprobs.and_then(logprobs::from_ir),
        done: true,
        done_reason: first.map(|it| word(&it.finish)),
        counts: OutCounts::of(response.usage),
    }))
}
