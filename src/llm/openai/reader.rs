//! Chunks of a streamed completion → the events of the IR.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::{finish, made_up_id};
use crate::codec::{EventReader, Held, Unreadable};
use crate::ir::{BlockStart, Event};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    /// What tells this answer from others.
    answer: String,
    choices: Vec<ChoiceState>,
    /// The next block's number.
    next: u32,
    held: Held,
}

/// What is open in one choice.
#[derive(Debug, Default)]
struct ChoiceState {
    index: u32,
    /// The block that text of some kind goes into.
    open: Option<(Kind, u32)>,
    calls: Vec<CallState>,
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refusal,
    Text,
    Thinking,
}

/// One call. It begins for the client when its name is known.
#[derive(Debug)]
struct CallState {
    /// Its number on the wire.
    index: u32,
    id: String,
    begun: Option<u32>,
    /// Arguments that came before the name.
    early: String,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    created: Option<u64>,
    #[serde(borrow, default)]
    choices: Vec<WireChoice<'a>>,
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<WireCall<'a>>>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<WireFunction<'a>>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let data = event.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|_| Unreadable)?;
        let id = chunk.id.map(Text::into_string).unwrap_or_default();
        // Azure's filters speak before the answer, in a chunk of nobody.
        let is_named = !id.is_empty() || !chunk.choices.is_empty();
        if !self.started && is_named {
            self.started = true;
            if !id.is_empty() {
                self.answer.clone_from(&id);
            }
            out.push(Event::Start {
                id,
                created: chunk.created.filter(|created| *created > 0),
            });
        }
        for choice in chunk.choices {
            self.choice(choice, out);
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

    fn choice(&mut self, wire: WireChoice<'_>, out: &mut Vec<Event>) {
        let place = self.place(wire.index);
        if let Some(delta) = wire.delta {
            let thoughts = delta.reasoning_content.or(delta.reasoning);
            self.text(place, Kind::Thinking, thoughts, out);
            self.text(place, Kind::Text, delta.content, out);
            self.text(place, Kind::Refusal, delta.refusal, out);
            for call in delta.tool_calls.unwrap_or_default() {
                self.call(place, call, out);
            }
        }
        if let Some(logprobs) = wire.logprobs {
            out.push(Event::Logprobs {
                choice: wire.index,
                logprobs: logprobs.to_owned(),
            });
        }
        let Some(state) = self.choices.get(place) else {
            return;
        };
        if let Some(word) = wire.finish_reason {
            let called = !state.calls.is_empty();
            out.push(Event::Finish {
                choice: wire.index,
                reason: finish(Some(word.as_str()), wire.stop_reason, called, state.refused),
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
            ..ChoiceState::default()
        });
        self.choices.len() - 1
    }

    fn text(&mut self, place: usize, kind: Kind, text: Option<Text<'_>>, out: &mut Vec<Event>) {
        let Some(text) = text.filter(|text| !text.as_str().is_empty()) else {
            return;
        };
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        state.refused |= kind == Kind::Refusal;
        let block = match state.open {
            Some((open, block)) if open == kind => block,
            other => {
                if let Some((_, block)) = other {
                    out.push(Event::End { block });
                }
                let block = self.next;
                self.next += 1;
                state.open = Some((kind, block));
                out.push(Event::Begin {
                    choice: state.index,
                    block,
                    start: match kind {
                        Kind::Refusal => BlockStart::Refusal,
                        Kind::Text => BlockStart::Text,
                        Kind::Thinking => BlockStart::Thinking,
                    },
                });
                block
            }
        };
        out.push(Event::Delta {
            block,
            text: text.into_string(),
        });
    }

    fn call(&mut self, place: usize, wire: WireCall<'_>, out: &mut Vec<Event>) {
        let answer = self.answer.as_str();
        let Some(state) = self.choices.get_mut(place) else {
            return;
        };
        // Text that goes on behind a call is a block of its own.
        if let Some((_, block)) = state.open.take() {
            out.push(Event::End { block });
        }
        let id = wire.id.filter(|id| !id.as_str().is_empty());
        let known = state.calls.len();
        let at = state.call_of(wire.index, id.as_ref().map(Text::as_str), answer);
        let (name, arguments) = match wire.function {
            Some(function) => (function.name, function.arguments),
            None => (None, None),
        };
        let choice = state.index;
        let is_new = state.calls.len() > known;
        let Some(call) = state.calls.get_mut(at) else {
            return;
        };
        if is_new {
            self.held.entry(call.id.len());
        }
        let name = name.filter(|name| !name.as_str().is_empty());
        let arguments = arguments.map(Text::into_string).unwrap_or_default();
        match (call.begun, name) {
            (None, Some(name)) => {
                let block = self.next;
                self.next += 1;
                call.begun = Some(block);
                out.push(Event::Begin {
                    choice,
                    block,
                    start: BlockStart::ToolCall {
                        id: call.id.clone(),
                        name: name.into_string(),
                        signature: None,
                    },
                });
                self.held.less(call.early.len());
                let text = std::mem::take(&mut call.early) + &arguments;
                push_delta(block, text, out);
            }
            (None, None) => {
                self.held.more(arguments.len());
                call.early.push_str(&arguments);
            }
            // Some servers repeat the name with every piece.
            (Some(block), _) => push_delta(block, arguments, out),
        }
    }
}

impl ChoiceState {
    /// The place of the call that a piece belongs to. A piece with another id than
    /// the one known under its index begins another call: some servers give every
    /// call the index 0.
    fn call_of(&mut self, index: Option<u32>, id: Option<&str>, answer: &str) -> usize {
        let known = match index {
            Some(index) => self.calls.iter().rposition(|call| call.index == index),
            None => self.calls.len().checked_sub(1),
        };
        if let Some(at) = known
            && let Some(call) = self.calls.get(at)
            && id.is_none_or(|id| id == call.id)
        {
            return at;
        }
        let place = self.calls.len();
        self.calls.push(CallState {
            index: index.unwrap_or(u32::MAX),
            id: id.map_or_else(|| made_up_id(answer, self.index, place), str::to_owned),
            begun: None,
            early: String::new(),
        });
        place
    }
}

fn push_delta(block: u32, text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Delta { block, text });
    }
}
