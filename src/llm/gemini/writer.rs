//! The events of the IR → the events of a streamed answer for a client.

use super::response::{OutBody, OutCandidate, OutContent, OutPart};
use super::usage::OutUsage;
use super::{finish, logprobs, signature};
use crate::codec::{EventWriter, Held, Reply, Unwritable};
use crate::ir::{BlockStart, Event, FinishReason, Sequence};
use crate::{UsageReport, json};

/// Writes one streamed answer. Why it ended is the last that is said, since nothing
/// else says that it did.
pub(super) struct Writer {
    reply: Reply,
    id: String,
    choices: Vec<ChoiceState>,
    /// Events in order; scratch.
    ready: Vec<Event>,
    held: Held,
}

/// One candidate: its parts come one after the other.
#[derive(Default)]
struct ChoiceState {
    index: u32,
    sequence: Sequence,
    blocks: Vec<u32>,
    open: Option<Open>,
    finish: Option<FinishReason>,
}

enum Open {
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    Silent,
    Text,
    Thinking {
        signature: String,
    },
}

impl Writer {
    pub(super) fn new(reply: &Reply) -> Self {
        Self {
            id: reply.id.clone(),
            reply: reply.clone(),
            choices: Vec::new(),
            ready: Vec::new(),
            held: Held::default(),
        }
    }

    /// The candidate that an event belongs to.
    fn place(&mut self, event: &Event) -> Option<usize> {
        match event {
            Event::Begin { choice, block, .. } => {
                let place = self.choice(*choice);
                if let Some(state) = self.choices.get_mut(place) {
                    self.held.entry(0);
                    state.blocks.push(*block);
                }
                Some(place)
            }
            Event::Finish { choice, .. } | Event::Logprobs { choice, .. } => {
                Some(self.choice(*choice))
            }
            Event::Delta { block, .. } | Event::Sign { block, .. } | Event::End { block } => {
                let mut choices = self.choices.iter();
                choices.position(|it| it.blocks.contains(block))
            }
            Event::Start { .. } | Event::Ping => None,
        }
    }

    fn choice(&mut self, index: u32) -> usize {
        if let Some(place) = self.choices.iter().position(|it| it.index == index) {
            return place;
        }
        self.held.entry(0);
        self.choices.push(ChoiceState {
            index,
            ..ChoiceState::default()
        });
        self.choices.len() - 1
    }

    fn chunk(&self, candidates: Vec<OutCandidate<'_>>, usage: UsageReport, out: &mut Vec<u8>) {
        let line = json::to_line(&OutBody {
            candidates,
            usage_metadata: OutUsage::of(usage),
            model_version: &self.reply.model,
            response_id: &self.id,
        });
        // JSON on one line needs no splitting. The SDK wants the space.
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn part(&self, index: u32, part: OutPart<'_>, out: &mut Vec<u8>) {
        let candidate = OutCandidate {
            content: OutContent::new(vec![part]),
            finish_reason: None,
            index,
            logprobs_result: None,
        };
        self.chunk(vec![candidate], UsageReport::Absent, out);
    }

    /// Writes an event whose turn it is.
    fn put(&mut self, place: usize, event: Event, out: &mut Vec<u8>) {
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        let index = state.index;
        match event {
            Event::Begin { start, .. } => {
                state.open = Some(match start {
                    BlockStart::Redacted { data } => {
                        let model = &self.reply.upstream_model;
                        let signature = signature::wrap_redacted(&data, model);
                        self.part(index, OutPart::thought("", Some(signature)), out);
                        return self.opened(place, Open::Silent);
                    }
                    BlockStart::Refusal | BlockStart::Text => Open::Text,
                    BlockStart::Thinking => Open::Thinking {
                        signature: String::new(),
                    },
                    BlockStart::ToolCall { id, name, .. } => Open::Call {
                        id,
                        name,
                        arguments: String::new(),
                    },
                });
            }
            Event::Delta { text, .. } => match &mut state.open {
                Some(Open::Call { arguments, .. }) => {
                    self.held.more(text.len());
                    arguments.push_str(&text);
                }
                Some(Open::Text) => self.part(index, OutPart::text(&text), out),
                Some(Open::Thinking { .. }) => {
                    self.part(index, OutPart::thought(&text, None), out);
                }
                Some(Open::Silent) | None => {}
            },
            Event::Sign { signature, .. } => {
                if let Some(Open::Thinking { signature: so_far }) = &mut state.open {
                    self.held.more(signature.len());
                    so_far.push_str(&signature);
                }
            }
            Event::End { .. } => {
                if let Some(open) = state.open.take() {
                    self.held.less(open.text());
                    self.end(index, open, out);
                }
            }
            Event::Finish { reason, .. } => state.finish = Some(reason),
            Event::Logprobs { logprobs, .. } => {
                let candidate = OutCandidate {
                    content: OutContent::new(Vec::new()),
                    finish_reason: None,
                    index,
                    logprobs_result: logprobs::write(&logprobs),
                };
                self.chunk(vec![candidate], UsageReport::Absent, out);
            }
            Event::Start { .. } | Event::Ping => {}
        }
    }

    fn opened(&mut self, place: usize, open: Open) {
        if let Some(state) = self.choices.get_mut(place) {
            state.open = Some(open);
        }
    }

    fn end(&self, index: u32, open: Open, out: &mut Vec<u8>) {
        let model = &self.reply.upstream_model;
        match open {
            Open::Call {
                id,
                name,
                arguments,
            } => {
                let call = OutPart::call(&id, &name, &arguments, model);
                self.part(index, call, out);
            }
            Open::Thinking { signature } if !signature.is_empty() => {
                let wrapped = signature::wrap(&signature, model);
                self.part(index, OutPart::thought("", Some(wrapped)), out);
            }
            Open::Silent | Open::Text | Open::Thinking { .. } => {}
        }
    }
}

impl Open {
    /// What is kept of it: bytes.
    fn text(&self) -> usize {
        match self {
            Self::Call { arguments, .. } => arguments.len(),
            Self::Thinking { signature } => signature.len(),
            Self::Silent | Self::Text => 0,
        }
    }
}

impl EventWriter for Writer {
    fn event(
        &mut self,
        event: Event,
        _usage: UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if let Event::Start { id, .. } = &event
            && !id.is_empty()
        {
            self.id.clone_from(id);
        }
        let Some(place) = self.place(&event) else {
            return Ok(());
        };
        let mut ready = std::mem::take(&mut self.ready);
        let result = match self.choices.get_mut(place) {
            Some(state) => {
                self.held.less(state.sequence.held());
                let result = state.sequence.push(event, &mut ready);
                self.held.more(state.sequence.held());
                result
            }
            None => Ok(()),
        };
        for event in ready.drain(..) {
            self.put(place, event, out);
        }
        self.ready = ready;
        result
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }

    fn finish(&mut self, usage: UsageReport, out: &mut Vec<u8>) {
        if self.choices.is_empty() {
            self.choice(0);
        }
        let candidates = self.choices.iter().map(|state| {
            let reason = state.finish.as_ref().unwrap_or(&FinishReason::Stop);
            OutCandidate {
                content: OutContent::new(Vec::new()),
                finish_reason: Some(finish::word(reason)),
                index: state.index,
                logprobs_result: None,
            }
        });
        self.chunk(candidates.collect(), usage, out);
    }
}
