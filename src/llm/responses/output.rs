//! What a client is told: the items of an answer, and the response around them.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::Failed;
use super::reasoning;
use super::usage::OutUsage;
use crate::codec::{Limits, Reply, fit};
use crate::ir::{Content, FinishReason, Thinking};
use crate::{UsageReport, json};

/// Ids that are sent back: OpenAI takes at most 64 characters.
const ID: Limits = Limits { bytes: 48 };

/// An item of the output.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// All of it was said.
    pub(super) done: bool,
}

/// What it is.
pub(super) enum Kind {
    Call {
        call_id: String,
        name: String,
        namespace: Option<String>,
        /// Of a custom tool: its input, once the call is whole.
        arguments: String,
        custom: bool,
    },
    Message {
        text: String,
        refusal: bool,
        logprobs: Vec<Box<RawValue>>,
    },
    Reasoning {
        summary: String,
        encrypted: Option<String>,
    },
}

/// How far a response is.
pub(super) enum Status<'a> {
    Completed,
    Failed(Failed<'a>),
    InProgress,
    Incomplete(Option<&'static str>),
}

impl Status<'_> {
    /// Why an answer ended. `refused` in words of its own is complete.
    pub(super) fn of(finish: &FinishReason, refused: bool) -> Self {
        match finish {
            FinishReason::Stop | FinishReason::StopSequence(_) | FinishReason::ToolCalls => {
                Self::Completed
            }
            FinishReason::Refusal if refused => Self::Completed,
            FinishReason::ContentFilter | FinishReason::Refusal => {
                Self::Incomplete(Some("content_filter"))
            }
            FinishReason::ContextWindow | FinishReason::Length => {
                Self::Incomplete(Some("max_output_tokens"))
            }
            // Not whole, and the dialect has no word for why.
            FinishReason::Pause | FinishReason::Other(_) => Self::Incomplete(None),
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::InProgress => "in_progress",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

/// An item on the wire.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutItem<'a> {
    FunctionCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        arguments: &'a str,
    },
    CustomToolCall {
        id: &'a str,
        call_id: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        input: &'a str,
    },
    Message {
        id: &'a str,
        status: &'static str,
        role: &'static str,
        content: Vec<OutPart<'a>>,
    },
    Reasoning {
        id: &'a str,
        summary: Vec<OutPart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
}

/// A part of an item on the wire.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutPart<'a> {
    OutputText {
        annotations: [(); 0],
        logprobs: &'a [Box<RawValue>],
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
}

impl Kind {
    fn prefix(&self) -> &'static str {
        match self {
            Self::Call { custom: true, .. } => "ctc",
            Self::Call { .. } => "fc",
            Self::Message { .. } => "msg",
            Self::Reasoning { .. } => "rs",
        }
    }

    /// A part of an answer in one piece; none for what has no place here.
    fn of(content: &Content, reply: &Reply) -> Option<Self> {
        Some(match content {
            Content::Text(text) => Self::Message {
                text: text.clone(),
                refusal: false,
                logprobs: Vec::new(),
            },
            Content::Refusal(text) => Self::Message {
                text: text.clone(),
                refusal: true,
                logprobs: Vec::new(),
            },
            Content::Thinking(thinking) => Self::Reasoning {
                summary: match thinking {
                    Thinking::Redacted { .. } => String::new(),
                    Thinking::Text { text, .. } => text.clone(),
                },
                encrypted: Some(reasoning::seal(thinking, &reply.upstream_model)),
            },
            Content::ToolCall {
                id,
                name,
                arguments,
                ..
            } => Self::call(id, name, whole(arguments), reply),
            Content::Media(_) | Content::Other(_) | Content::ToolResult { .. } => return None,
        })
    }

    /// A call, with its namespace apart.
    pub(super) fn call(id: &str, flat: &str, arguments: &str, reply: &Reply) -> Self {
        let split = reply.namespaces.split(flat);
        Self::Call {
            call_id: id.to_owned(),
            name: split.map_or(flat, |(_, name)| name).to_owned(),
            namespace: split.map(|(namespace, _)| namespace.to_owned()),
            arguments: arguments.to_owned(),
            custom: reply.namespaces.is_custom(flat),
        }
    }

    /// All that there is of it was said: what a custom tool was given is its one
    /// argument. False where that breaks off, which plain text does not show.
    pub(super) fn conclude(&mut self) -> bool {
        #[derive(Deserialize)]
        struct Given {
            input: String,
        }
        let Self::Call {
            custom: true,
            arguments,
            ..
        } = self
        else {
            return true;
        };
        match serde_json::from_str::<Given>(arguments) {
            Ok(given) => *arguments = given.input,
            Err(_) => return serde_json::from_str::<IgnoredAny>(arguments).is_ok(),
        }
        true
    }
}

/// Clients parse the arguments: a call without any has none, not nothing.
pub(super) fn whole(arguments: &str) -> &str {
    if arguments.is_empty() {
        "{}"
    } else {
        arguments
    }
}

impl Item {
    pub(super) fn new(kind: Kind, response: &str, nth: usize) -> Self {
        let base = response.strip_prefix("resp_").unwrap_or(response);
        Self {
            id: format!("{}_{}_{nth}", kind.prefix(), fit(base, ID)),
            kind,
            done: false,
        }
    }

    /// All items of an answer in one piece.
    pub(super) fn all(content: &[Content], response: &str, reply: &Reply) -> Vec<Self> {
        let kinds = content.iter().filter_map(|it| Kind::of(it, reply));
        let items = kinds.enumerate();
        items
            .map(|(nth, mut kind)| Self {
                done: kind.conclude(),
                ..Self::new(kind, response, nth)
            })
            .collect()
    }

    /// The item as far as it was said.
    pub(super) fn out(&self) -> OutItem<'_> {
        let id = self.id.as_str();
        let status = if self.done { "completed" } else { "incomplete" };
        match &self.kind {
            Kind::Call {
                call_id,
                name,
                namespace,
                arguments,
                custom: true,
            } => OutItem::CustomToolCall {
                id,
                call_id,
                name,
                namespace: namespace.as_deref(),
                // A part of it is in another form.
                input: if self.done { arguments } else { "" },
            },
            Kind::Call {
                call_id,
                name,
                namespace,
                arguments,
                custom: false,
            } => OutItem::FunctionCall {
                id,
                status,
                call_id,
                name,
                namespace: namespace.as_deref(),
                arguments,
            },
            Kind::Message { .. } => OutItem::Message {
                id,
                status,
                role: "assistant",
                content: self.part().into_iter().collect(),
            },
            Kind::Reasoning { summary, encrypted } => OutItem::Reasoning {
                id,
                summary: match summary.as_str() {
                    "" => Vec::new(),
                    text => vec![OutPart::SummaryText { text }],
                },
                encrypted_content: encrypted.as_deref(),
            },
        }
    }

    /// The item as it begins.
    pub(super) fn empty(&self) -> OutItem<'_> {
        let id = self.id.as_str();
        let status = "in_progress";
        match &self.kind {
            Kind::Call {
                call_id,
                name,
                namespace,
                custom: true,
                ..
            } => OutItem::CustomToolCall {
                id,
                call_id,
                name,
                namespace: namespace.as_deref(),
                input: "",
            },
            Kind::Call {
                call_id,
                name,
                namespace,
                ..
            } => OutItem::FunctionCall {
                id,
                status,
                call_id,
                name,
                namespace: namespace.as_deref(),
                arguments: "",
            },
            Kind::Message { .. } => OutItem::Message {
                id,
                status,
                role: "assistant",
                content: Vec::new(),
            },
            Kind::Reasoning { .. } => OutItem::Reasoning {
                id,
                summary: Vec::new(),
                encrypted_content: None,
            },
        }
    }

    /// The one part of a message, as far as it is said.
    pub(super) fn part(&self) -> Option<OutPart<'_>> {
        match &self.kind {
            Kind::Message {
                text,
                refusal: true,
                ..
            } => Some(OutPart::Refusal { refusal: text }),
            Kind::Message { text, logprobs, .. } => Some(OutPart::OutputText {
                annotations: [],
                logprobs,
                text,
            }),
            Kind::Call { .. } | Kind::Reasoning { .. } => None,
        }
    }

    /// True when the model refused in it.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.kind, Kind::Message { refusal: true, .. })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    error: Option<&'a Failed<'a>>,
    incomplete_details: Option<Details>,
    model: &'a str,
    output: Vec<OutItem<'a>>,
    usage: Option<OutUsage>,
}

#[derive(Serialize)]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The id of the response to an answer that the provider calls so.
pub(super) fn response_id(id: &str, reply: &Reply) -> String {
    let id = if id.is_empty() { &reply.id } else { id };
    if id.starts_with("resp_") {
        return id.to_owned();
    }
    format!("resp_{id}")
}

/// A whole response, on one line.
pub(super) fn response(
    id: &str,
    created: u64,
    status: &Status<'_>,
    items: &[Item],
    usage: UsageReport,
    reply: &Reply,
) -> String {
    let body = Body {
        id,
        object: "response",
        created_at: created,
        status: status.as_str(),
        error: match status {
            Status::Failed(error) => Some(error),
            Status::Completed | Status::InProgress | Status::Incomplete(_) => None,
        },
        incomplete_details: match status {
            Status::Incomplete(reason) => Some(Details { reason: *reason }),
            Status::Completed | Status::InProgress | Status::Failed(_) => None,
        },
        model: &reply.model,
        output: items.iter().map(Item::out).collect(),
        usage: usage.counts().map(OutUsage::of),
    };
    let mut line = json::to_line(&body);
    let echo = reply.echo.members();
    if !echo.is_empty() && line.ends_with('}') {
        line.pop();
        line.push(',');
        line.push_str(echo);
        line.push('}');
    }
    line
}
