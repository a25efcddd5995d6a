//! An answer in one piece.
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference#response>

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::usage::OutUsage;
use super::{finish, logprobs, signature};
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Signature, Thinking};
use crate::object::Text;
use crate::{Failure, FailureKind, UsageReport, json};

/// An answer, or an event of a streamed one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) response_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<Feedback<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback<'a> {
    #[serde(borrow)]
    pub(super) block_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    pub(super) index: u32,
    #[serde(borrow)]
    pub(super) content: Option<WireContent<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) logprobs_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct WireContent<'a> {
    #[serde(borrow)]
    pub(super) parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(default)]
    pub(super) thought: bool,
    #[serde(borrow)]
    pub(super) thought_signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Option<Call<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(borrow)]
    mime_type: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
}

impl Blob<'_> {
    /// No other wire has pictures in answers; Markdown does.
    pub(super) fn shown(&self) -> String {
        let (media_type, data) = (self.mime_type.as_str(), self.data.as_str());
        format!("![{media_type}](data:{media_type};base64,{data})")
    }
}

impl Call<'_> {
    /// Gemini's own id, or one that no other answer has.
    pub(super) fn id(&self, answer: &str, choice: u32, place: usize) -> String {
        match &self.id {
            Some(id) if !id.as_str().is_empty() => id.as_str().to_owned(),
            _ => format!("call_{answer}_{choice}_{place}"),
        }
    }

    pub(super) fn arguments(&self) -> String {
        self.args.map_or("{}", RawValue::get).to_owned()
    }
}

/// Reads a provider's answer.
pub(super) fn to_ir(body: &[u8], unnamed: &str) -> Result<ChatResponse, Failure> {
    let failed = |code| Failure::new(FailureKind::ServerError, code);
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| failed("unreadable_answer"))?;
    let id = wire.response_id.map(Text::into_string).unwrap_or_default();
    let candidates = wire.candidates.unwrap_or_default().into_iter();
    let answer = if id.is_empty() { unnamed } else { &id };
    let mut choices: Vec<Choice> = candidates.map(|it| read(it, answer)).collect();
    if choices.is_empty() {
        let blocked = wire.prompt_feedback.and_then(|it| it.block_reason);
        blocked.ok_or_else(|| failed("empty_answer"))?;
        choices.push(Choice {
            index: 0,
            content: Vec::new(),
            finish: FinishReason::ContentFilter,
            logprobs: None,
        });
    }
    Ok(ChatResponse {
        id,
        created: None,
        choices,
        usage: UsageReport::Absent,
    })
}

fn read(candidate: Candidate<'_>, answer: &str) -> Choice {
    let mut content = Vec::new();
    let mut calls = 0;
    let parts = candidate.content.and_then(|it| it.parts);
    for part in parts.unwrap_or_default() {
        let signed = part.thought_signature.map(Text::into_string);
        if let Some(call) = part.function_call {
            content.push(Content::ToolCall {
                id: call.id(answer, candidate.index, calls),
                arguments: call.arguments(),
                name: call.name.into_string(),
                signature: signed.map(|value| Signature { value, model: None }),
            });
            calls += 1;
        } else if let Some(blob) = part.inline_data {
            content.push(Content::Text(blob.shown()));
        } else if let Some(text) = part.text.filter(|it| !it.as_str().is_empty()) {
            push(&mut content, text.into_string(), part.thought);
        }
    }
    let word = candidate
        .finish_reason
        .as_ref()
        .map_or("STOP", Text::as_str);
    Choice {
        index: candidate.index,
        content,
        finish: finish::read(word, calls > 0),
        logprobs: candidate.logprobs_result.and_then(logprobs::read),
    }
}

/// Joins pieces of one text.
fn push(content: &mut Vec<Content>, more: String, thought: bool) {
    match (content.last_mut(), thought) {
        (Some(Content::Text(text)), false)
        | (Some(Content::Thinking(Thinking::Text { text, .. })), true) => text.push_str(&more),
        (_, false) => content.push(Content::Text(more)),
        (_, true) => content.push(Content::Thinking(Thinking::Text {
            text: more,
            signature: None,
        })),
    }
}

/// An answer, or an event of a streamed one, for a client.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutBody<'a> {
    pub(super) candidates: Vec<OutCandidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<OutUsage>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutCandidate<'a> {
    pub(super) content: OutContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<String>,
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs_result: Option<Box<RawValue>>,
}

#[derive(Serialize)]
pub(super) struct OutContent<'a> {
    pub(super) role: &'static str,
    pub(super) parts: Vec<OutPart<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<OutCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<String>,
}

#[derive(Serialize)]
pub(super) struct OutCall<'a> {
    id: &'a str,
    name: &'a str,
    args: Box<RawValue>,
}

impl<'a> OutContent<'a> {
    /// What the model said. The SDK takes a content without parts for a failure.
    pub(super) fn new(mut parts: Vec<OutPart<'a>>) -> Self {
        if parts.is_empty() {
            parts.push(OutPart::text(""));
        }
        Self {
            role: "model",
            parts,
        }
    }
}

impl<'a> OutPart<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self {
            text: Some(Cow::Borrowed(text)),
            ..Self::default()
        }
    }

    pub(super) fn thought(text: &'a str, signature: Option<String>) -> Self {
        Self {
            thought: true,
            thought_signature: signature,
            ..Self::text(text)
        }
    }

    /// A call, marked as that of another model: Gemini would insist on its signature.
    pub(super) fn call(id: &'a str, name: &'a str, arguments: &str, model: &str) -> Self {
        let args = json::object_of(arguments);
        Self {
            function_call: Some(OutCall {
                id,
                name,
                args: args.unwrap_or_else(|| json::unreadable_arguments(arguments)),
            }),
            thought_signature: Some(signature::mark(model)),
            ..Self::default()
        }
    }
}

/// Writes an answer for a client.
pub(super) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let id = if response.id.is_empty() {
        &reply.id
    } else {
        &response.id
    };
    let candidates = response.choices.iter().map(|choice| OutCandidate {
        content: OutContent::new(parts(&choice.content, reply)),
        finish_reason: Some(finish::word(&choice.finish)),
        index: choice.index,
        logprobs_result: choice.logprobs.as_deref().and_then(logprobs::write),
    });
    Bytes::from(json::to_line(&OutBody {
        candidates: candidates.collect(),
        usage_metadata: OutUsage::of(response.usage),
        model_version: &reply.model,
        response_id: id,
    }))
}

fn parts<'a>(content: &'a [Content], reply: &Reply) -> Vec<OutPart<'a>> {
    let model = &reply.upstream_model;
    let parts = content.iter().filter_map(|content| match content {
        Content::Text(text) | Content::Refusal(text) => Some(OutPart::text(text)),
        Content::Thinking(Thinking::Redacted { data, .. }) => {
            let signature = signature::wrap_redacted(data, model);
            Some(OutPart::thought("", Some(signature)))
        }
        Content::Thinking(Thinking::Text { text, signature }) => {
            let signature = signature.as_ref();
            let wrapped = signature.map(|it| signature::wrap(&it.value, model));
            Some(OutPart::thought(text, wrapped))
        }
        Content::ToolCall {
            id,
            name,
            arguments,
            ..
        } => Some(OutPart::call(id, name, arguments, model)),
        Content::Media(_) | Content::Other(_) | Content::ToolResult { .. } => None,
    });
    parts.collect()
}
