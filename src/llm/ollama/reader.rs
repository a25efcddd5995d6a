//! The lines of a streamed answer → the events of the IR.

use super::response::{Body, WireCall, finish, name};
use super::{logprobs, moment};
use crate::codec::{EventReader, Unreadable};
use crate::ir::{BlockStart, Event};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    /// What tells this answer from others.
    answer: String,
    /// The block that text of some kind goes into.
    open: Option<(Kind, u32)>,
    /// The next block's number.
    next: u32,
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let line: Body<'_> = serde_json::from_slice(&event.data).map_err(|_| Unreadable)?;
        self.start(line.created_at, out);
        if let Some(message) = line.message {
            self.text(Kind::Thinking, message.thinking, out);
            self.text(Kind::Text, message.content, out);
            for call in message.tool_calls.unwrap_or_default() {
                self.call(call, out);
            }
        }
        if let Some(logprobs) = line.logprobs.and_then(logprobs::to_ir) {
            out.push(Event::Logprobs {
                choice: 0,
                logprobs,
            });
        }
        if line.done == Some(true) {
            let word = line.done_reason.as_ref().map(Text::as_str);
            out.push(Event::Finish {
                choice: 0,
                reason: finish(word, self.calls > 0),
            });
        }
        Ok(())
    }
}

impl Reader {
    pub(super) fn new(unnamed: &str) -> Self {
        Self {
            answer: unnamed.to_owned(),
            ..Self::default()
        }
    }

    fn start(&mut self, created_at: Option<Text<'_>>, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let created_at = created_at.map(Text::into_string).unwrap_or_default();
        out.push(Event::Start {
            id: String::new(),
            created: moment::seconds(&created_at),
        });
        self.answer = name(&created_at, &self.answer);
    }

    fn begin(&mut self, start: BlockStart, out: &mut Vec<Event>) -> u32 {
        if let Some((_, block)) = self.open.take() {
            out.push(Event::End { block });
        }
        let block = self.next;
        self.next += 1;
        out.push(Event::Begin {
            choice: 0,
            block,
            start,
        });
        block
    }

    fn text(&mut self, kind: Kind, text: Option<Text<'_>>, out: &mut Vec<Event>) {
        let Some(text) = text.filter(|text| !text.as_str().is_empty()) else {
            return;
        };
        let block = match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                let block = self.begin(
                    match kind {
                        Kind::Text => BlockStart::Text,
                        Kind::Thinking => BlockStart::Thinking,
                    },
                    out,
                );
                self.open = Some((kind, block));
                block
            }
        };
        out.push(Event::Delta {
            block,
            text: text.into_string(),
        });
    }

    /// Calls come whole.
    fn call(&mut self, wire: WireCall<'_>, out: &mut Vec<Event>) {
        let call = wire.into_call(&self.answer, self.calls);
        self.calls += 1;
        let start = BlockStart::ToolCall {
            id: call.id,
            name: call.name,
            signature: None,
        };
        let block = self.begin(start, out);
        if !call.arguments.is_empty() {
            out.push(Event::Delta {
                block,
                text: call.arguments,
            });
        }
        out.push(Event::End { block });
    }
}
