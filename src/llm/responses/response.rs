//! An answer in one piece.
//! <https://platform.openai.com/docs/api-reference/responses/object>

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::output::{self, Item, Status};
use super::{reasoning, usage};
use crate::answer::Answer;
use crate::codec::Reply;
use crate::ir::{ChatResponse, Choice, Content, FinishReason, Thinking};
use crate::object::Text;
use crate::{Failure, FailureKind, UsageReport, answer};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    created_at: Option<f64>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    incomplete_details: Option<Details<'a>>,
    #[serde(borrow)]
    output: Vec<WireItem<'a>>,
}

/// Why a response is not complete.
#[derive(Deserialize)]
pub(super) struct Details<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

/// An item of an answer, of whichever kind.
#[derive(Deserialize)]
pub(super) struct WireItem<'a> {
    #[serde(borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) call_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) encrypted_content: Option<Text<'a>>,
    /// Of a kind that this reads; other kinds may have anything here.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
}

/// A part of an item.
#[derive(Deserialize)]
pub(super) struct WirePart<'a> {
    #[serde(borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

/// What an answer cost, unless it says that it failed.
pub(super) fn inspect(body: &[u8]) -> Result<Answer, Failure> {
    let answer = answer::inspect(body, usage::read)?;
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow)]
        status: Option<Text<'a>>,
    }
    let status = serde_json::from_slice::<Status<'_>>(body).ok();
    let status = status.and_then(|body| body.status);
    match status.as_ref().map(Text::as_str) {
        Some("failed" | "cancelled") => Err(Failure::new(FailureKind::ServerError, "failed")),
        _ => Ok(answer),
    }
}

/// Reads a provider's answer.
pub(super) fn to_ir(body: &[u8]) -> Result<ChatResponse, Failure> {
    let unreadable = || Failure::new(FailureKind::ServerError, "unreadable_answer");
    let wire: Body<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let status = wire.status.as_ref().map_or("completed", Text::as_str);
    if !matches!(status, "completed" | "incomplete") {
        return Err(unreadable());
    }
    let mut content = Vec::with_capacity(wire.output.len());
    let mut logprobs = None;
    for item in &wire.output {
        read(item, &mut content, &mut logprobs).ok_or_else(unreadable)?;
    }
    let details = wire.incomplete_details.filter(|_| status == "incomplete");
    let finish = finish(status == "incomplete", details, &content);
    Ok(ChatResponse {
        id: wire.id.map(Text::into_string).unwrap_or_default(),
        created: wire.created_at.map(seconds),
        choices: vec![Choice {
            index: 0,
            content,
            finish,
            logprobs,
        }],
        usage: UsageReport::Absent,
    })
}

/// Whole seconds: some servers say parts of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates"
)]
pub(super) fn seconds(seconds: f64) -> u64 {
    seconds as u64
}

/// None: unreadable. Items of unknown kinds only come to those who asked for the
/// provider's own tools.
fn read(
    item: &WireItem<'_>,
    out: &mut Vec<Content>,
    logprobs: &mut Option<Box<RawValue>>,
) -> Option<()> {
    match item.r#type.as_str() {
        "message" => {
            for part in parts(item.content)? {
                match part.r#type.as_str() {
                    "output_text" => {
                        let text = part.text?.into_string();
                        out.extend(Some(text).filter(|it| !it.is_empty()).map(Content::Text));
                        if let Some(found) = part.logprobs.and_then(chat_logprobs) {
                            *logprobs = Some(found);
                        }
                    }
                    "refusal" => out.push(Content::Refusal(part.refusal?.into_string())),
                    _ => {}
                }
            }
        }
        "function_call" => out.push(Content::ToolCall {
            id: item.call_id.as_ref()?.as_str().to_owned(),
            name: item.name.as_ref()?.as_str().to_owned(),
            arguments: item.arguments.as_ref()?.as_str().to_owned(),
            signature: None,
        }),
        "reasoning" => {
            let text = thoughts(item)?;
            let id = item.id.as_ref().map_or("", Text::as_str);
            let encrypted = item.encrypted_content.as_ref();
            let signature = encrypted.map(|it| reasoning::keep(id, it.as_str()));
            if !text.is_empty() || signature.is_some() {
                out.push(Content::Thinking(Thinking::Text { text, signature }));
            }
        }
        _ => {}
    }
    Some(())
}

/// The parts of a list that may be missing or null; none: no list of parts.
fn parts(raw: Option<&RawValue>) -> Option<Vec<WirePart<'_>>> {
    match raw {
        None => Some(Vec::new()),
        Some(raw) => serde_json::from_str(raw.get()).ok(),
    }
}

/// What a reasoning item shows: a summary, or all of it (open models).
pub(super) fn thoughts(item: &WireItem<'_>) -> Option<String> {
    let texts = |parts: Vec<WirePart<'_>>, between: &str| {
        let texts = parts.into_iter().filter_map(|part| part.text);
        texts
            .map(Text::into_string)
            .collect::<Vec<_>>()
            .join(between)
    };
    let summary = texts(parts(item.summary)?, "\n\n");
    if summary.is_empty() {
        return Some(texts(parts(item.content)?, ""));
    }
    Some(summary)
}

/// Of a message that is done: all texts and refusals.
pub(super) fn said(item: &WireItem<'_>) -> Option<Vec<(bool, String)>> {
    let parts = parts(item.content)?.into_iter();
    Some(
        parts
            .filter_map(|part| match part.r#type.as_str() {
                "output_text" => Some((false, part.text?.into_string())),
                "refusal" => Some((true, part.refusal?.into_string())),
                _ => None,
            })
            .collect(),
    )
}

/// As chat completions write them; none for an empty list.
pub(super) fn chat_logprobs(raw: &RawValue) -> Option<Box<RawValue>> {
    if !raw.get().starts_with('[') || raw.get() == "[]" {
        return None;
    }
    RawValue::from_string(format!("{{\"content\":{}}}", raw.get())).ok()
}

/// Why an answer ended.
fn finish(incomplete: bool, details: Option<Details<'_>>, content: &[Content]) -> FinishReason {
    if incomplete {
        return cut_short(details);
    }
    let any = |is: fn(&Content) -> bool| content.iter().any(is);
    if any(|it| matches!(it, Content::ToolCall { .. })) {
        FinishReason::ToolCalls
    } else if any(|it| matches!(it, Content::Refusal(_))) {
        FinishReason::Refusal
    } else {
        FinishReason::Stop
    }
}

/// Why an answer is incomplete.
pub(super) fn cut_short(details: Option<Details<'_>>) -> FinishReason {
    let reason = details.and_then(|details| details.reason);
    match reason.as_ref().map(Text::as_str) {
        Some("max_output_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(other) => FinishReason::Other(other.to_owned()),
        None => FinishReason::Other(String::from("incomplete")),
    }
}

/// Writes an answer for a client. It has room for one choice, and nobody can have
/// asked for more.
pub(super) fn from_ir(response: &ChatResponse, reply: &Reply) -> Bytes {
    let id = output::response_id(&response.id, reply);
    let created = response.created.unwrap_or(reply.created);
    let choice = response.choices.first();
    let content = choice.map_or(&[][..], |choice| &choice.content);
    let mut items = Item::all(content, &id, reply);
    if let Some(logprobs) = choice.and_then(|choice| choice.logprobs.as_deref()) {
        attach(logprobs, &mut items);
    }
    let refused = items.iter().any(Item::refuses);
    let status = choice.map_or(Status::Completed, |choice| {
        Status::of(&choice.finish, refused)
    });
    let line = output::response(&id, created, &status, &items, response.usage, reply);
    Bytes::from(line)
}

/// Log probabilities belong to the text.
fn attach(raw: &RawValue, items: &mut [Item]) {
    let texts = items.iter_mut().filter_map(|item| match &mut item.kind {
        output::Kind::Message {
            refusal: false,
            logprobs,
            ..
        } => Some(logprobs),
        output::Kind::Message { .. }
        | output::Kind::Call { .. }
        | output::Kind::Reasoning { .. } => None,
    });
    if let Some(to) = texts.last() {
        to.extend(of_chat(raw));
    }
}

/// The entries of log probabilities, as chat completions write them.
pub(super) fn of_chat(raw: &RawValue) -> Vec<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Option<Vec<&'a RawValue>>,
    }
    let logprobs = serde_json::from_str::<Logprobs<'_>>(raw.get()).ok();
    let content = logprobs.and_then(|it| it.content).unwrap_or_default();
    content.into_iter().map(ToOwned::to_owned).collect()
}
