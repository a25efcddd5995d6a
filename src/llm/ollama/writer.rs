//! The events of the IR → lines for a client.

use serde_json::value::RawValue;

use super::response::{OutBody, OutCall, OutFunction, OutMessage, object, word};
use super::usage::OutCounts;
use super::{logprobs, moment};
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::ir::{BlockStart, Event, FinishReason, Sequence};
use crate::{UsageReport, json};

/// Writes one streamed answer: its first choice, since nobody can have asked for
/// more.
pub(super) struct Writer {
    model: String,
    created_at: String,
    sequence: Sequence,
    /// Events in order; scratch.
    ready: Vec<Event>,
    open: Option<Open>,
    calls: usize,
    /// Blocks of other choices.
    foreign: Vec<u32>,
    held: Held,
    finish: Option<FinishReason>,
}

/// The block that is being written.
enum Open {
    /// Clients want calls whole.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    Silent,
    Text,
    Thinking,
}

impl Writer {
    pub(super) fn new(reply: &Reply) -> Self {
        Self {
            model: reply.model.clone(),
            created_at: moment::text(reply.created),
            sequence: Sequence::default(),
            ready: Vec::new(),
            open: None,
            calls: 0,
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

    fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { created, .. } => {
                if let Some(created) = created {
                    self.created_at = moment::text(created);
                }
            }
            Event::Begin { start, .. } => {
                self.open = Some(match start {
                    // Custody has it.
                    BlockStart::Redacted { .. } => Open::Silent,
                    BlockStart::Refusal | BlockStart::Text => Open::Text,
                    BlockStart::Thinking => Open::Thinking,
                    BlockStart::ToolCall { id, name, .. } => Open::Call {
                        id,
                        name,
                        arguments: String::new(),
                    },
                });
            }
            Event::Delta { text, .. } => self.delta(&text, out),
            Event::End { .. } => self.end(out),
            Event::Logprobs { logprobs, .. } => {
                if let Some(logprobs) = logprobs::from_ir(&logprobs) {
                    self.line(OutMessage::of(""), Some(logprobs), out);
                }
            }
            Event::Finish { reason, .. } => self.finish = Some(reason),
            // Clients parse every line: there is none that says nothing.
            Event::Ping | Event::Sign { .. } => {}
        }
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        match &mut self.open {
            Some(Open::Call { arguments, .. }) => {
                self.held.more(text.len());
                arguments.push_str(text);
            }
            Some(Open::Text) => self.line(OutMessage::of(text), None, out),
            Some(Open::Thinking) => {
                let message = OutMessage {
                    thinking: Some(text),
                    ..OutMessage::of("")
                };
                self.line(message, None, out);
            }
            Some(Open::Silent) | None => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(Open::Call {
            id,
            name,
            arguments,
        }) = self.open.take()
        else {
            return;
        };
        self.held.less(arguments.len());
        let call = OutCall {
            id: &id,
            function: OutFunction {
                index: self.calls,
                name: &name,
                arguments: object(&arguments),
            },
        };
        self.calls += 1;
        let message = OutMessage {
            tool_calls: vec![call],
            ..OutMessage::of("")
        };
        self.line(message, None, out);
    }

    fn line(&self, message: OutMessage<'_>, logprobs: Option<Box<RawValue>>, out: &mut Vec<u8>) {
        let body = OutBody {
            model: &self.model,
            created_at: &self.created_at,
            message,
            logprobs,
            done: false,
            done_reason: None,
            counts: None,
        };
        write(&body, out);
    }
}

fn write(body: &OutBody<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(json::to_line(body).as_bytes());
    out.push(b'\n');
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
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        let last = OutBody {
            model: &self.model,
            created_at: &self.created_at,
            message: OutMessage::of(""),
            logprobs: None,
            done: true,
            done_reason: Some(word(&reason)),
            counts: OutCounts::of(usage),
        };
        write(&last, out);
    }
}
