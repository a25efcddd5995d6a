//! The events of the IR → the events of ConverseStream for a client.

use serde::Serialize;

use super::response::{blob, word};
use super::usage::{OutMetrics, OutUsage};
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::eventstream::write_event;
use crate::ir::{BlockStart, Event, FinishReason, Sequence};
use crate::{UsageReport, custody, json};

/// Writes one streamed answer: its first choice, since nobody can have asked for
/// more.
pub(super) struct Writer {
    upstream_model: String,
    sequence: Sequence,
    /// Events in order; scratch.
    ready: Vec<Event>,
    started: bool,
    /// The number of the next block for the client.
    index: u32,
    open: Option<Open>,
    /// Blocks of other choices.
    foreign: Vec<u32>,
    held: Held,
    finish: Option<FinishReason>,
}

struct Open {
    kind: Kind,
    signed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Arguments,
    Redacted,
    Text,
    Thinking,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutBegin<'a> {
    content_block_index: u32,
    start: OutStart<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutStart<'a> {
    tool_use: OutToolUse<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutToolUse<'a> {
    tool_use_id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutMore<'a> {
    content_block_index: u32,
    delta: OutDelta<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutDelta<'a> {
    Text(&'a str),
    ToolUse { input: &'a str },
    ReasoningContent(OutThought<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OutThought<'a> {
    RedactedContent(&'a str),
    Signature(&'a str),
    Text(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutEnd {
    content_block_index: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutStop<'a> {
    stop_reason: &'a str,
}

#[derive(Serialize)]
struct OutMetadata {
    usage: OutUsage,
    metrics: OutMetrics,
}

fn put<T: Serialize>(name: &str, payload: &T, out: &mut Vec<u8>) {
    write_event(name, &json::to_line(payload), out);
}

impl Writer {
    pub(super) fn new(reply: &Reply) -> Self {
        Self {
            upstream_model: reply.upstream_model.clone(),
            sequence: Sequence::default(),
            ready: Vec::new(),
            started: false,
            index: 0,
            open: None,
            foreign: Vec::new(),
            held: Held::default(),
            finish: None,
        }
    }

    /// True for what belongs to the first choice.
    fn is_ours(&mut self, event: &Event) -> bool {
        match event {
            Event::Begin { choice, block, .. } => {
                if *choice != 0 {
                    self.held.entry(0);
                    self.foreign.push(*block);
                }
                *choice == 0
            }
            Event::Finish { choice, .. } | Event::Logprobs { choice, .. } => *choice == 0,
            Event::Delta { block, .. } | Event::Sign { block, .. } | Event::End { block } => {
                !self.foreign.contains(block)
            }
            Event::Start { .. } | Event::Ping => true,
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct OutMessage {
            role: &'static str,
        }
        if !std::mem::replace(&mut self.started, true) {
            let role = "assistant";
            put("messageStart", &OutMessage { role }, out);
        }
    }

    fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(out),
            Event::Begin { start, .. } => {
                self.start(out);
                self.begin(&start, out);
            }
            Event::Delta { text, .. } => self.delta(&text, out),
            Event::Sign { signature, .. } => self.sign(&signature, out),
            Event::End { .. } => self.end(out),
            Event::Finish { reason, .. } => self.finish = Some(reason),
            // The dialect has no room for them: an SDK reads every event.
            Event::Logprobs { .. } | Event::Ping => {}
        }
    }

    /// Only calls announce themselves.
    fn begin(&mut self, start: &BlockStart, out: &mut Vec<u8>) {
        let content_block_index = self.index;
        let kind = match start {
            BlockStart::Redacted { .. } => Kind::Redacted,
            BlockStart::Refusal | BlockStart::Text => Kind::Text,
            BlockStart::Thinking => Kind::Thinking,
            BlockStart::ToolCall { id, name, .. } => {
                let start = OutStart {
                    tool_use: OutToolUse {
                        tool_use_id: id,
                        name,
                    },
                };
                let begin = OutBegin {
                    content_block_index,
                    start,
                };
                put("contentBlockStart", &begin, out);
                Kind::Arguments
            }
        };
        self.open = Some(Open {
            kind,
            signed: false,
        });
        if let BlockStart::Redacted { data } = start {
            let data = blob(data);
            let thought = OutThought::RedactedContent(&data);
            self.more(OutDelta::ReasoningContent(thought), out);
        }
    }

    fn more(&self, delta: OutDelta<'_>, out: &mut Vec<u8>) {
        let content_block_index = self.index;
        let more = OutMore {
            content_block_index,
            delta,
        };
        put("contentBlockDelta", &more, out);
    }

    fn delta(&self, text: &str, out: &mut Vec<u8>) {
        let delta = match self.open.as_ref().map(|open| open.kind) {
            Some(Kind::Arguments) => OutDelta::ToolUse { input: text },
            Some(Kind::Text) => OutDelta::Text(text),
            Some(Kind::Thinking) => OutDelta::ReasoningContent(OutThought::Text(text)),
            Some(Kind::Redacted) | None => return,
        };
        self.more(delta, out);
    }

    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        if open.kind != Kind::Thinking {
            return;
        }
        open.signed = true;
        let thought = OutThought::Signature(signature);
        self.more(OutDelta::ReasoningContent(thought), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let unsigned = |open: &Open| open.kind == Kind::Thinking && !open.signed;
        if self.open.as_ref().is_some_and(unsigned) {
            let mark = custody::mark(&self.upstream_model);
            self.sign(&mark, out);
        }
        self.open = None;
        let content_block_index = self.index;
        let end = OutEnd {
            content_block_index,
        };
        put("contentBlockStop", &end, out);
        self.index += 1;
    }
}

impl EventWriter for Writer {
    fn event(
        &mut self,
        event: Event,
        _usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if !self.is_ours(&event) {
            return Ok(());
        }
        let mut ready = std::mem::take(&mut self.ready);
        let result = self.sequence.push(event, &mut ready);
        for event in ready.drain(..) {
            self.put(event, out);
        }
        self.ready = ready;
        result
    }

    fn held(&self) -> usize {
        self.held.bytes() + self.sequence.held()
    }

    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>) {
        self.start(out);
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        let stop_reason = word(&reason);
        put("messageStop", &OutStop { stop_reason }, out);
        // No event at all rather than counts that nobody counted.
        if let Some(usage) = OutUsage::of(usage) {
            let metrics = OutMetrics::default();
            put("metadata", &OutMetadata { usage, metrics }, out);
        }
    }
}
