//! The events of the IR → the events of a message for a client.

use serde::Serialize;

use super::response::words;
use super::usage::OutUsage;
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::ir::{BlockStart, Event, FinishReason, Sequence};
use crate::{UsageReport, custody, json};

/// Writes one streamed answer: its first choice, since nobody can have asked for
/// more.
pub(crate) struct Writer {
    reply: Reply,
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
#[serde(tag = "type", rename_all = "snake_case")]
enum Out<'a> {
    MessageStart {
        message: OutMessage<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: OutBlock<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: OutDelta<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: OutStop<'a>,
        usage: OutUsage,
    },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
struct OutMessage<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: OutUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OutBlock<'a> {
    RedactedThinking {
        data: &'a str,
    },
    Text {
        text: &'static str,
    },
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Empty,
    },
}

/// `{}`, as it always is there; the deltas are all of the arguments.
#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum OutDelta<'a> {
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
}

#[derive(Serialize)]
struct OutStop<'a> {
    stop_reason: &'a str,
    stop_sequence: Option<&'a str>,
}

impl Out<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
        }
    }

    /// JSON on one line needs no splitting.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(self.name().as_bytes());
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(json::to_line(self).as_bytes());
        out.extend_from_slice(b"\n\n");
    }
}

impl Writer {
    pub(crate) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
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

    fn start(&mut self, id: &str, usage: UsageReport, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = if id.is_empty() { &self.reply.id } else { id };
        let message = OutMessage {
            id,
            r#type: "message",
            role: "assistant",
            model: &self.reply.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: OutUsage::so_far(usage),
        };
        Out::MessageStart { message }.write(out);
    }

    fn put(&mut self, event: Event, usage: UsageReport, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, .. } => self.start(&id, usage, out),
            Event::Begin { start, .. } => {
                self.start("", usage, out);
                self.begin(&start, out);
            }
            Event::Delta { text, .. } => self.delta(&text, out),
            Event::Sign { signature, .. } => self.sign(&signature, out),
            Event::End { .. } => self.end(out),
            Event::Finish { reason, .. } => self.finish = Some(reason),
            Event::Ping if self.started => Out::Ping.write(out),
            Event::Ping => out.extend_from_slice(b": keep-alive\n\n"),
            // The dialect has no room for them, and nobody asked.
            Event::Logprobs { .. } => {}
        }
    }

    fn begin(&mut self, start: &BlockStart, out: &mut Vec<u8>) {
        let (kind, content_block) = match start {
            BlockStart::Redacted { data } => (Kind::Redacted, OutBlock::RedactedThinking { data }),
            BlockStart::Refusal | BlockStart::Text => (Kind::Text, OutBlock::Text { text: "" }),
            BlockStart::Thinking => (
                Kind::Thinking,
                OutBlock::Thinking {
                    thinking: "",
                    signature: "",
                },
            ),
            BlockStart::ToolCall { id, name, .. } => (
                Kind::Arguments,
                OutBlock::ToolUse {
                    id,
                    name,
                    input: Empty {},
                },
            ),
        };
        Out::ContentBlockStart {
            index: self.index,
            content_block,
        }
        .write(out);
        self.open = Some(Open {
            kind,
            signed: false,
        });
    }

    fn delta(&self, text: &str, out: &mut Vec<u8>) {
        let delta = match self.open.as_ref().map(|open| open.kind) {
            Some(Kind::Arguments) => OutDelta::InputJson { partial_json: text },
            Some(Kind::Text) => OutDelta::Text { text },
            Some(Kind::Thinking) => OutDelta::Thinking { thinking: text },
            Some(Kind::Redacted) | None => return,
        };
        Out::ContentBlockDelta {
            index: self.index,
            delta,
        }
        .write(out);
    }

    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        if open.kind != Kind::Thinking {
            return;
        }
        open.signed = true;
        Out::ContentBlockDelta {
            index: self.index,
            delta: OutDelta::Signature { signature },
        }
        .write(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let unsigned = |open: &Open| open.kind == Kind::Thinking && !open.signed;
        if self.open.as_ref().is_some_and(unsigned) {
            let mark = custody::mark(&self.reply.upstream_model);
            self.sign(&mark, out);
        }
        self.open = None;
        Out::ContentBlockStop { index: self.index }.write(out);
        self.index += 1;
    }
}

impl EventWriter for Writer {
    fn event(
        &mut self,
        event: Event,
        usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if !self.is_ours(&event) {
            return Ok(());
        }
        let mut ready = std::mem::take(&mut self.ready);
        let result = self.sequence.push(event, &mut ready);
        for event in ready.drain(..) {
            self.put(event, usage, out);
        }
        self.ready = ready;
        result
    }

    fn held(&self) -> usize {
        self.held.bytes() + self.sequence.held()
    }

    /// The dialect says why and at what cost in one event, so the reason waited.
    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>) {
        self.start("", usage, out);
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        let (stop_reason, stop_sequence) = words(&reason);
        Out::MessageDelta {
            delta: OutStop {
                stop_reason,
                stop_sequence,
            },
            usage: OutUsage::of(usage),
        }
        .write(out);
        Out::MessageStop.write(out);
    }
}
