//! An answer in one piece. <https://docs.anthropic.com/en/api/messages>

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::OutUsage;
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Signature, Thinking};
use crate::object::Text;
use crate::{Failure, FailureKind, UsageReport, custody, json};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    content: Vec<WireBlock<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireBlock<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// Reads a provider's answer.
pub(crate) fn to_ir(body: &[u8]) -> Result<ChatResponse, Failure> {
    let unreadable = || Failure::new(FailureKind::ServerError, "unreadable_answer");
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let mut content = Vec::with_capacity(wire.content.len());
    for block in wire.content {
        content.extend(read(block).ok_or_else(unreadable)?);
    }
    let stop_reason = wire.stop_reason.ok_or_else(unreadable)?;
    let choice = Choice {
        index: 0,
        content,
        finish: finish(
            stop_reason.as_str(),
            wire.stop_sequence.map(Text::into_string),
        ),
        logprobs: None,
    };
    Ok(ChatResponse {
        id: wire.id.map(Text::into_string).unwrap_or_default(),
        created: None,
        choices: vec![choice],
        usage: UsageReport::Absent,
    })
}

/// The outer none: unreadable. The inner one: a kind of block that only comes to
/// those who asked for the provider's own tools.
#[expect(clippy::option_option, reason = "unreadable and unknown differ")]
fn read(block: WireBlock<'_>) -> Option<Option<Content>> {
    Some(Some(match block.r#type.as_str() {
        "text" => Content::Text(block.text?.into_string()),
        "thinking" => Content::Thinking(Thinking::Text {
            text: block.thinking?.into_string(),
            signature: block
                .signature
                .map(Text::into_string)
                .filter(|signature| !signature.is_empty())
                .map(|value| Signature { value, model: None }),
        }),
        "redacted_thinking" => Content::Thinking(Thinking::Redacted {
            data: block.data?.into_string(),
            model: None,
        }),
        "tool_use" => Content::ToolCall {
            id: block.id?.into_string(),
            name: block.name?.into_string(),
            arguments: block.input?.get().to_owned(),
            signature: None,
        },
        _ => return Some(None),
    }))
}

/// Why an answer ended.
pub(super) fn finish(word: &str, stop_sequence: Option<String>) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextWindow,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        "stop_sequence" => FinishReason::StopSequence(stop_sequence),
        "tool_use" => FinishReason::ToolCalls,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The words for it: `stop_reason` and `stop_sequence`.
pub(super) fn words(finish: &FinishReason) -> (&str, Option<&str>) {
    match finish {
        FinishReason::ContentFilter | FinishReason::Refusal => ("refusal", None),
        FinishReason::ContextWindow => ("model_context_window_exceeded", None),
        FinishReason::Length => ("max_tokens", None),
        FinishReason::Pause => ("pause_turn", None),
        FinishReason::Stop => ("end_turn", None),
        FinishReason::StopSequence(text) => ("stop_sequence", text.as_deref()),
        FinishReason::ToolCalls => ("tool_use", None),
        FinishReason::Other(word) => (word, None),
    }
}

#[derive(Serialize)]
struct OutBody<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<OutBlock<'a>>,
    stop_reason: &'a str,
    stop_sequence: Option<&'a str>,
    usage: OutUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutBlock<'a> {
    RedactedThinking {
        data: &'a str,
    },
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: String,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Box<RawValue>,
    },
}

/// Writes an answer for a client. It has room for one choice, and nobody can have
/// asked for more.
pub(crate) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let id = if response.id.is_empty() {
        &reply.id
    } else {
        &response.id
    };
    let stopped = FinishReason::Stop;
    let choice = response.choices.first();
    let finish = choice.map_or(&stopped, |choice| &choice.finish);
    let (stop_reason, stop_sequence) = words(finish);
    let content = choice
        .into_iter()
        .flat_map(|choice| &choice.content)
        .filter_map(|content| write(content, reply));
    Bytes::from(json::to_line(&OutBody {
        id,
        r#type: "message",
        role: "assistant",
        model: &reply.model,
        content: content.collect(),
        stop_reason,
        stop_sequence,
        usage: OutUsage::of(response.usage),
    }))
}

fn write<'a>(content: &'a Content, reply: &Reply) -> Option<OutBlock<'a>> {
    Some(match content {
        Content::Text(text) | Content::Refusal(text) => OutBlock::Text { text },
        Content::Thinking(Thinking::Redacted { data, .. }) => OutBlock::RedactedThinking { data },
        Content::Thinking(Thinking::Text { text, signature }) => OutBlock::Thinking {
            thinking: text,
            signature: match signature {
                Some(signature) => signature.value.clone(),
                None => custody::mark(&reply.upstream_model),
            },
        },
        Content::ToolCall {
            id,
            name,
            arguments,
            ..
        } => OutBlock::ToolUse {
            id,
            name,
            input: input(arguments),
        },
        Content::Media(_) | Content::Other(_) | Content::ToolResult { .. } => return None,
    })
}

/// Clients insist on an object. What the model wrote instead is not lost.
fn input(arguments: &str) -> Box<RawValue> {
    let text = arguments.trim();
    let object = if text.is_empty() { "{}" } else { text };
    let wrapped = || {
        let text = json::to_line(&arguments);
        RawValue::from_string(format!("{{\"unreadable_arguments\":{text}}}"))
    };
    if object.starts_with('{')
        && let Ok(object) = RawValue::from_string(object.to_owned())
    {
        return object;
    }
    wrapped().unwrap_or_else(|_| RawValue::NULL.to_owned())
}
