//! An answer in one piece.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::{OutMetrics, OutUsage};
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Signature, Thinking};
use crate::object::Text;
use crate::{Failure, FailureKind, UsageReport, custody, json};

/// Stands before opaque thoughts of providers that write text, not base64.
const TEXTUAL: &[u8] = b"agentkube.text:";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    /// Absent where a guardrail let nothing through.
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<WireBlock<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBlock<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow)]
    citations_content: Option<Cited<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Cited<'a> {
    #[serde(borrow, default)]
    content: Vec<CitedText<'a>>,
}

#[derive(Deserialize)]
struct CitedText<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

/// Reads a provider's answer.
pub(super) fn to_ir(body: &[u8]) -> Result<ChatResponse, Failure> {
    let unreadable = || Failure::new(FailureKind::ServerError, "unreadable_answer");
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let message = wire.output.and_then(|output| output.message);
    let content = message.map(|message| message.content).unwrap_or_default();
    let choice = Choice {
        index: 0,
        content: content.into_iter().filter_map(read).collect(),
        finish: finish(wire.stop_reason.as_str()),
        logprobs: None,
    };
    Ok(ChatResponse {
        id: String::new(),
        created: None,
        choices: vec![choice],
        usage: UsageReport::Absent,
    })
}

/// None for kinds that only come to those who asked for them.
fn read(block: WireBlock<'_>) -> Option<Content> {
    if let Some(text) = block.text {
        return Some(Content::Text(text.into_string()));
    }
    if let Some(call) = block.tool_use.filter(|call| call.r#type.is_none()) {
        return Some(Content::ToolCall {
            id: call.tool_use_id.into_string(),
            name: call.name.into_string(),
            arguments: call.input.map_or("{}", RawValue::get).to_owned(),
            signature: None,
        });
    }
    if let Some(cited) = block.citations_content {
        let texts = cited.content.into_iter().filter_map(|it| it.text);
        return Some(Content::Text(texts.map(Text::into_string).collect()));
    }
    let thought = block.reasoning_content?;
    Some(Content::Thinking(match thought.reasoning_text {
        Some(thought) => Thinking::Text {
            text: thought.text.map(Text::into_string).unwrap_or_default(),
            signature: thought
                .signature
                .map(Text::into_string)
                .filter(|signature| !signature.is_empty())
                .map(|value| Signature { value, model: None }),
        },
        None => Thinking::Redacted {
            data: thought.redacted_content?.into_string(),
            model: None,
        },
    }))
}

/// Why an answer ended.
pub(super) fn finish(word: &str) -> FinishReason {
    match word {
        "content_filtered" | "guardrail_intervened" => FinishReason::ContentFilter,
        "end_turn" => FinishReason::Stop,
        // For the malformed ones no other dialect has a word; the nearest says that the
        // answer is not whole.
        "malformed_model_output" | "malformed_tool_use" | "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextWindow,
        "refusal" => FinishReason::Refusal,
        "stop_sequence" => FinishReason::StopSequence(None),
        "tool_use" => FinishReason::ToolCalls,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The word for it: `stopReason`.
pub(super) fn word(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filtered",
        FinishReason::ContextWindow => "model_context_window_exceeded",
        // There is no word for it; the nearest says that the answer is not whole.
        FinishReason::Length | FinishReason::Pause => "max_tokens",
        FinishReason::Stop => "end_turn",
        FinishReason::StopSequence(_) => "stop_sequence",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Other(word) => word,
    }
}

/// Opaque thoughts as a blob: SDKs decode it from base64.
pub(super) fn blob(data: &str) -> Cow<'_, str> {
    if is_blob(data) {
        return Cow::Borrowed(data);
    }
    Cow::Owned(STANDARD.encode([TEXTUAL, data.as_bytes()].concat()))
}

/// The other way round.
pub(super) fn of_blob(blob: String) -> String {
    let bytes = STANDARD.decode(&blob).unwrap_or_default();
    let text = bytes.strip_prefix(TEXTUAL).map(<[u8]>::to_vec);
    text.and_then(|text| String::from_utf8(text).ok())
        .unwrap_or(blob)
}

/// True for base64 that an SDK gives back as it was.
pub(super) fn is_blob(data: &str) -> bool {
    STANDARD.decode(data).is_ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutBody<'a> {
    output: OutOutput<'a>,
    stop_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<OutUsage>,
    metrics: OutMetrics,
}

#[derive(Serialize)]
struct OutOutput<'a> {
    message: OutMessage<'a>,
}

#[derive(Serialize)]
struct OutMessage<'a> {
    role: &'static str,
    content: Vec<OutBlock<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutBlock<'a> {
    ReasoningContent(OutReasoning<'a>),
    Text(&'a str),
    ToolUse(OutToolUse<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutReasoning<'a> {
    ReasoningText { text: &'a str, signature: String },
    RedactedContent(Cow<'a, str>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutToolUse<'a> {
    tool_use_id: &'a str,
    name: &'a str,
    input: Box<RawValue>,
}

/// Writes an answer for a client. It has room for one choice, and nobody can have
/// asked for more.
pub(super) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let stopped = FinishReason::Stop;
    let choice = response.choices.first();
    let finish = choice.map_or(&stopped, |choice| &choice.finish);
    let content = choice.into_iter().flat_map(|choice| &choice.content);
    let content = content.filter_map(|content| write(content, reply));
    Bytes::from(json::to_line(&OutBody {
        output: OutOutput {
            message: OutMessage {
                role: "assistant",
                content: content.collect(),
            },
        },
        stop_reason: word(finish),
        usage: OutUsage::of(response.usage),
        metrics: OutMetrics::default(),
    }))
}

fn write<'a>(content: &'a Content, reply: &Reply) -> Option<OutBlock<'a>> {
    Some(match content {
        Content::Text(text) | Content::Refusal(text) => OutBlock::Text(text),
        Content::Thinking(Thinking::Redacted { data, .. }) => {
            OutBlock::ReasoningContent(OutReasoning::RedactedContent(blob(data)))
        }
        Content::Thinking(Thinking::Text { text, signature }) => {
            OutBlock::ReasoningContent(OutReasoning::ReasoningText {
                text,
                signature: match signature {
                    Some(signature) => signature.value.clone(),
                    None => custody::mark(&reply.upstream_model),
                },
            })
        }
        Content::ToolCall {
            id,
            name,
            arguments,
            ..
        } => OutBlock::ToolUse(OutToolUse {
            tool_use_id: id,
            name,
            input: input(arguments),
        }),
        Content::Media(_) | Content::Other(_) | Content::ToolResult { .. } => return None,
    })
}

/// Clients insist on an object. What the model wrote instead is not lost.
fn input(arguments: &str) -> Box<RawValue> {
    json::object_of(arguments).unwrap_or_else(|| json::unreadable_arguments(arguments))
}
