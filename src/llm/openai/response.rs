//! An answer in one piece.
//! <https://platform.openai.com/docs/api-reference/chat/object>

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::OutUsage;
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Thinking};
use crate::object::{OneOrMany, Text};
use crate::{Failure, FailureKind, UsageReport, json};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    created: Option<u64>,
    choices: Vec<WireChoice<'a>>,
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    message: WireMessage<'a>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    /// vLLM: the stop text that was met.
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    content: Option<OneOrMany<'a, WirePart<'a>>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<WireCall<'a>>>,
}

#[derive(Deserialize)]
struct WirePart<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
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
    arguments: Option<Text<'a>>,
}

/// Reads a provider's answer.
pub(crate) fn to_ir(body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure> {
    let unreadable = || Failure::new(FailureKind::ServerError, "unreadable_answer");
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    if wire.choices.is_empty() {
        return Err(unreadable());
    }
    let id = wire.id.map(Text::into_string).unwrap_or_default();
    let answer = if id.is_empty() { unnamed } else { &id };
    let choices = wire.choices.into_iter();
    let choices = choices.map(|choice| read(choice, answer)).collect();
    Ok(ChatResponse {
        choices,
        created: wire.created,
        id,
        usage: UsageReport::Absent,
    })
}

fn read(wire: WireChoice<'_>, answer: &str) -> Choice {
    let mut content = Vec::new();
    let message = wire.message;
    let thoughts = message.reasoning_content.or(message.reasoning);
    if let Some(text) = thoughts.filter(|text| !text.as_str().is_empty()) {
        content.push(Content::Thinking(Thinking::Text {
            text: text.into_string(),
            signature: None,
        }));
    }
    let texts = match message.content {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
    };
    let texts = texts.into_iter().filter(|text| !text.as_str().is_empty());
    content.extend(texts.map(|text| Content::Text(text.into_string())));
    if let Some(text) = message.refusal.filter(|text| !text.as_str().is_empty()) {
        content.push(Content::Refusal(text.into_string()));
    }
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (place, call) in calls.into_iter().enumerate() {
        content.push(Content::ToolCall {
            id: match call.id {
                Some(given) if !given.as_str().is_empty() => given.into_string(),
                _ => made_up_id(answer, wire.index, place),
            },
            name: call.function.name.into_string(),
            arguments: call
                .function
                .arguments
                .map(Text::into_string)
                .unwrap_or_default(),
            signature: None,
        });
    }
    let refused = content.iter().any(|it| matches!(it, Content::Refusal(_)));
    let word = wire.finish_reason.as_ref().map(Text::as_str);
    Choice {
        index: wire.index,
        content,
        finish: finish(word, wire.stop_reason, called, refused),
        logprobs: wire.logprobs.map(ToOwned::to_owned),
    }
}

/// An id for a call that came without one: no other answer has it.
pub(super) fn made_up_id(answer: &str, choice: u32, place: usize) -> String {
    format!("call_{answer}_{choice}_{place}")
}

/// Why an answer ended. Servers say `stop` for calls as well (OpenAI does where the
/// tool was named), and clients would not run them.
pub(super) fn finish(
    word: Option<&str>,
    stop_text: Option<&RawValue>,
    called: bool,
    refused: bool,
) -> FinishReason {
    match word {
        Some("stop") | None if called => FinishReason::ToolCalls,
        Some("stop") | None if refused => FinishReason::Refusal,
        Some("stop") | None => {
            match stop_text.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
                Some(text) => FinishReason::StopSequence(Some(text)),
                None => FinishReason::Stop,
            }
        }
        Some("length") => FinishReason::Length,
        Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}

/// The word for it.
pub(super) fn word(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::ContextWindow | FinishReason::Length => "length",
        FinishReason::Stop | FinishReason::StopSequence(_) => "stop",
        FinishReason::ToolCalls => "tool_calls",
        // There is no word for it; the nearest says that the answer is not whole.
        FinishReason::Pause => "length",
        FinishReason::Other(word) => word,
    }
}

#[derive(Serialize)]
struct OutBody<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<OutChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<OutUsage>,
}

#[derive(Serialize)]
struct OutChoice<'a> {
    index: u32,
    message: OutMessage<'a>,
    logprobs: Option<&'a RawValue>,
    finish_reason: &'a str,
}

#[derive(Serialize)]
struct OutMessage<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OutCall<'a>>,
}

#[derive(Serialize)]
struct OutCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Writes an answer for a client.
pub(crate) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let id = if response.id.is_empty() {
        &reply.id
    } else {
        &response.id
    };
    Bytes::from(json::to_line(&OutBody {
        id,
        object: "chat.completion",
        created: response.created.unwrap_or(reply.created),
        model: &reply.model,
        choices: response.choices.iter().map(write).collect(),
        usage: response.usage.counts().map(OutUsage::of),
    }))
}

fn write(choice: &Choice) -> OutChoice<'_> {
    let (mut texts, mut refusals, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    let mut tool_calls = Vec::new();
    for content in &choice.content {
        match content {
            Content::Text(text) => texts.push(text.as_str()),
            Content::Refusal(text) => refusals.push(text.as_str()),
            Content::Thinking(Thinking::Text { text, .. }) if !text.is_empty() => {
                thoughts.push(text.as_str());
            }
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => tool_calls.push(OutCall {
                id,
                r#type: "function",
                function: OutFunction {
                    name,
                    // Clients parse it.
                    arguments: if arguments.is_empty() {
                        "{}"
                    } else {
                        arguments
                    },
                },
            }),
            Content::Thinking(_)
            | Content::Media(_)
            | Content::Other(_)
            | Content::ToolResult { .. } => {}
        }
    }
    OutChoice {
        index: choice.index,
        message: OutMessage {
            role: "assistant",
            content: join(&texts),
            refusal: join(&refusals),
            reasoning_content: join(&thoughts),
            tool_calls,
        },
        logprobs: choice.logprobs.as_deref(),
        finish_reason: word(&choice.finish),
    }
}

fn join<'a>(texts: &[&'a str]) -> Option<Cow<'a, str>> {
    match texts {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        many => Some(Cow::Owned(many.concat())),
    }
}
