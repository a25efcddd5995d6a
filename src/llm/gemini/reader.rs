//! The events of a streamed answer → the events of the IR.

use super::response::{Blob, Body, Call, Candidate};
use super::{finish, logprobs};
use crate::codec::{EventReader, Held, Unreadable};
use crate::ir::{BlockStart, Event, FinishReason};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    /// What tells this answer from others.
    answer: String,
    choices: Vec<ChoiceState>,
    /// The next block's number.
    next: u32,
    held: Held,
}

/// What is open in one candidate.
#[derive(Debug)]
struct ChoiceState {
    index: u32,
    open: Option<(Kind, u32)>,
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        let body: Body<'_> = serde_json::from_slice(data).map_err(|_| Unreadable)?;
        if !std::mem::replace(&mut self.started, true) {
            let id = body.response_id.map(Text::into_string).unwrap_or_default();
            if !id.is_empty() {
                self.answer.clone_from(&id);
            }
            out.push(Event::Start { id, created: None });
        }
        for candidate in body.candidates.unwrap_or_default() {
            self.candidate(candidate, out);
        }
        let blocked = body.prompt_feedback.and_then(|it| it.block_reason);
        if blocked.is_some() {
            out.push(Event::Finish {
                choice: 0,
                reason: FinishReason::ContentFilter,
            });
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }
}

impl Reader {
    pub(super) fn new(unnamed: &str) -> Self {
        Self {
            answer: unnamed.to_owned(),
            ..Self::default()
        }
    }

    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut Vec<Event>) {
        let choice = candidate.index;
        let place = self.place(choice);
        let parts = candidate.content.and_then(|it| it.parts);
        for part in parts.unwrap_or_default() {
            let signed = part.thought_signature.map(Text::into_string);
            if let Some(call) = part.function_call {
                self.call(place, &call, signed, out);
            } else if let Some(blob) = part.inline_data {
                self.picture(place, &blob, out);
            } else if let Some(text) = part.text {
                let kind = if part.thought {
                    Kind::Thinking
                } else {
                    Kind::Text
                };
                self.text(place, kind, text.into_string(), out);
            }
        }
        if let Some(logprobs) = candidate.logprobs_result.and_then(logprobs::read) {
            out.push(Event::Logprobs { choice, logprobs });
        }
        if let Some(word) = candidate.finish_reason {
            let called = self.choices.get(place).is_some_and(|it| it.calls > 0);
            out.push(Event::Finish {
                choice,
                reason: finish::read(word.as_str(), called),
            });
        }
    }

    fn place(&mut self, index: u32) -> usize {
        if let Some(place) = self.choices.iter().position(|it| it.index == index) {
            return place;
        }
        self.held.entry(0);
        self.choices.push(ChoiceState {
            index,
            open: None,
            calls: 0,
        });
        self.choices.len() - 1
    }

    fn block(&mut self) -> u32 {
        let block = self.next;
        self.next = self.next.wrapping_add(1);
        block
    }

    fn text(&mut self, place: usize, kind: Kind, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let next = self.block();
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        let block = match state.open {
            Some((open, block)) if open == kind => block,
            other => {
                out.extend(other.map(|(_, block)| Event::End { block }));
                state.open = Some((kind, next));
                out.push(Event::Begin {
                    choice: state.index,
                    block: next,
                    start: match kind {
                        Kind::Text => BlockStart::Text,
                        Kind::Thinking => BlockStart::Thinking,
                    },
                });
                next
            }
        };
        out.push(Event::Delta { block, text });
    }

    fn picture(&mut self, place: usize, blob: &Blob<'_>, out: &mut Vec<Event>) {
        self.text(place, Kind::Text, blob.shown(), out);
    }

    /// Calls come whole.
    fn call(
        &mut self,
        place: usize,
        call: &Call<'_>,
        signature: Option<String>,
        out: &mut Vec<Event>,
    ) {
        let block = self.block();
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        out.extend(state.open.take().map(|(_, block)| Event::End { block }));
        out.push(Event::Begin {
            choice: state.index,
            block,
            start: BlockStart::ToolCall {
                id: call.id(&self.answer, state.index, state.calls),
                name: call.name.as_str().to_owned(),
                signature,
            },
        });
        state.calls += 1;
        out.push(Event::Delta {
            block,
            text: call.arguments(),
        });
        out.push(Event::End { block });
    }
}
