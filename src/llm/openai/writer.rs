//! The events of the IR → chunks for a client.

use serde::Serialize;
use serde_json::value::RawValue;

use super::response::word;
use super::usage::OutUsage;
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::ir::{BlockStart, Event};
use crate::{UsageReport, json};

/// Writes one streamed answer.
pub(crate) struct Writer {
    reply: Reply,
    id: String,
    created: u64,
    blocks: Vec<BlockState>,
    /// The choices that have their role.
    greeted: Vec<u32>,
    held: Held,
}

struct BlockState {
    block: u32,
    choice: u32,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Call {
        /// Its number among the calls of its choice: not the block's.
        index: u32,
        /// Arguments were written.
        said: bool,
    },
    Refusal,
    Silent,
    Text,
    Thinking,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [OutChoice<'a>],
    /// Null in all chunks but the last, where the client asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<OutUsage>>,
}

#[derive(Serialize)]
struct OutChoice<'a> {
    index: u32,
    delta: OutDelta<'a>,
    logprobs: Option<&'a RawValue>,
    finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct OutDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[OutCall<'a>; 1]>,
}

#[derive(Serialize)]
struct OutCall<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: OutFunction<'a>,
}

#[derive(Serialize)]
struct OutFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl Writer {
    pub(crate) fn new(reply: &Reply) -> Self {
        Self {
            id: reply.id.clone(),
            created: reply.created,
            reply: reply.clone(),
            blocks: Vec::new(),
            greeted: Vec::new(),
            held: Held::default(),
        }
    }

    fn chunk(&self, choices: &[OutChoice<'_>], usage: Option<OutUsage>, out: &mut Vec<u8>) {
        let line = json::to_line(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.reply.model,
            choices,
            usage: self.reply.include_usage.then_some(usage),
        });
        data(&line, out);
    }

    fn delta(&self, index: u32, delta: OutDelta<'_>, out: &mut Vec<u8>) {
        let choice = OutChoice {
            index,
            delta,
            logprobs: None,
            finish_reason: None,
        };
        self.chunk(&[choice], None, out);
    }

    /// The first chunk of a choice says who speaks.
    fn greet(&mut self, choice: u32, out: &mut Vec<u8>) {
        if self.greeted.contains(&choice) {
            return;
        }
        self.held.entry(0);
        self.greeted.push(choice);
        let delta = OutDelta {
            role: Some("assistant"),
            content: Some(""),
            ..OutDelta::default()
        };
        self.delta(choice, delta, out);
    }

    fn begin(&mut self, choice: u32, block: u32, start: &BlockStart, out: &mut Vec<u8>) {
        self.greet(choice, out);
        let kind = match start {
            BlockStart::Redacted { .. } => Kind::Silent,
            BlockStart::Refusal => Kind::Refusal,
            BlockStart::Text => Kind::Text,
            BlockStart::Thinking => Kind::Thinking,
            BlockStart::ToolCall { id, name, .. } => {
                let of_choice = |it: &&BlockState| it.choice == choice;
                let calls = self.blocks.iter().filter(of_choice);
                let calls = calls.filter(|it| matches!(it.kind, Kind::Call { .. }));
                let index = u32::try_from(calls.count()).unwrap_or(u32::MAX);
                let call = OutCall {
                    index,
                    id: Some(id),
                    r#type: Some("function"),
                    function: OutFunction {
                        name: Some(name),
                        arguments: "",
                    },
                };
                self.delta(choice, of_call(call), out);
                Kind::Call { index, said: false }
            }
        };
        self.held.entry(0);
        self.blocks.push(BlockState {
            block,
            choice,
            kind,
        });
    }

    fn more(&mut self, block: u32, text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let state = self.block(block).ok_or(Unwritable)?;
        let mut delta = OutDelta::default();
        match &mut state.kind {
            Kind::Silent => return Ok(()),
            Kind::Call { index, said } => {
                *said = true;
                delta = of_call(arguments(*index, text));
            }
            Kind::Refusal => delta.refusal = Some(text),
            Kind::Text => delta.content = Some(text),
            Kind::Thinking => delta.reasoning_content = Some(text),
        }
        let choice = state.choice;
        self.delta(choice, delta, out);
        Ok(())
    }

    /// Clients parse the arguments: a call without any has none, not nothing.
    fn end(&mut self, block: u32, out: &mut Vec<u8>) {
        if let Some(state) = self.block(block)
            && let Kind::Call { index, said } = &mut state.kind
            && !*said
        {
            *said = true;
            let (choice, index) = (state.choice, *index);
            self.delta(choice, of_call(arguments(index, "{}")), out);
        }
    }

    fn block(&mut self, block: u32) -> Option<&mut BlockState> {
        // Nearly always the last one.
        self.blocks.iter_mut().rev().find(|it| it.block == block)
    }
}

impl EventWriter for Writer {
    fn event(
        &mut self,
        event: Event,
        _usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        match event {
            Event::Start { id, created } => {
                if !id.is_empty() {
                    self.id = id;
                }
                self.created = created.unwrap_or(self.created);
                self.greet(0, out);
            }
            Event::Begin {
                choice,
                block,
                start,
            } => self.begin(choice, block, &start, out),
            Event::Delta { block, text } => return self.more(block, &text, out),
            Event::End { block } => self.end(block, out),
            Event::Logprobs { choice, logprobs } => {
                let choice = OutChoice {
                    index: choice,
                    delta: OutDelta::default(),
                    logprobs: Some(&logprobs),
                    finish_reason: None,
                };
                self.chunk(&[choice], None, out);
            }
            Event::Finish { choice, reason } => {
                let open: Vec<u32> = self
                    .blocks
                    .iter()
                    .filter(|it| it.choice == choice)
                    .map(|it| it.block)
                    .collect();
                for block in open {
                    self.end(block, out);
                }
                let choice = OutChoice {
                    index: choice,
                    delta: OutDelta::default(),
                    logprobs: None,
                    finish_reason: Some(word(&reason)),
                };
                self.chunk(&[choice], None, out);
            }
            Event::Ping => out.extend_from_slice(b": keep-alive\n\n"),
            // Custody has it.
            Event::Sign { .. } => {}
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }

    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>) {
        if self.reply.include_usage
            && let Some(usage) = usage.counts()
        {
            self.chunk(&[], Some(OutUsage::of(usage)), out);
        }
        data("[DONE]", out);
    }
}

fn of_call(call: OutCall<'_>) -> OutDelta<'_> {
    OutDelta {
        tool_calls: Some([call]),
        ..OutDelta::default()
    }
}

fn arguments(index: u32, text: &str) -> OutCall<'_> {
    OutCall {
        index,
        id: None,
        r#type: None,
        function: OutFunction {
            name: None,
            arguments: text,
        },
    }
}

/// JSON on one line needs no splitting.
fn data(line: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\n\n");
}
