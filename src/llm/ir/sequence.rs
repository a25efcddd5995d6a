//! One block after the other, for clients whose dialect knows no overlap.
//!
//! OpenAI's wire never says that a tool call ended, and servers may send pieces of
//! several calls in turn. A block that begins while a call is not complete is held
//! back until that one is: its arguments are a whole JSON object, or the choice
//! ends.

use std::collections::VecDeque;

use super::{BlockStart, Event};
use crate::codec::{self, Unwritable};

/// Puts the blocks of one choice in order. Every block that begins also ends, and
/// before the next one begins.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    open: Option<Open>,
    /// Blocks that wait for their turn, in the order in which they began.
    waiting: VecDeque<Held>,
    held: codec::Held,
}

#[derive(Debug)]
struct Open {
    block: u32,
    /// Of a tool call: how far its arguments are.
    arguments: Option<Braces>,
}

#[derive(Debug)]
struct Held {
    block: u32,
    events: Vec<Event>,
    ended: bool,
}

impl Sequence {
    /// Takes the next event, gives those whose turn it is.
    ///
    /// # Errors
    /// When more of a block comes after its end: the client could not be told all of
    /// it.
    pub(crate) fn push(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), Unwritable> {
        match event {
            Event::Begin { block, .. } => {
                if self.waiting.is_empty() && self.open.as_ref().is_none_or(Open::may_end) {
                    self.close(out);
                    self.pass(event, out);
                } else {
                    self.held.entry(size(&event));
                    self.waiting.push_back(Held {
                        block,
                        events: vec![event],
                        ended: false,
                    });
                }
            }
            Event::Delta { block, .. } | Event::Sign { block, .. } => {
                return self.more(block, event, out);
            }
            Event::End { block } => self.end(block, out),
            Event::Finish { .. } => {
                self.close(out);
                while let Some(held) = self.waiting.pop_front() {
                    self.release(held.events, out);
                    self.close(out);
                }
                out.push(event);
            }
            Event::Start { .. } | Event::Logprobs { .. } | Event::Ping => out.push(event),
        }
        Ok(())
    }

    /// How much waits for its turn: bytes.
    pub(crate) fn held(&self) -> usize {
        self.held.bytes()
    }

    fn more(&mut self, block: u32, event: Event, out: &mut Vec<Event>) -> Result<(), Unwritable> {
        if self.open.as_ref().is_some_and(|open| open.block == block) {
            self.pass(event, out);
            self.advance(out);
            return Ok(());
        }
        if let Some(held) = self.waiting.iter_mut().find(|held| held.block == block) {
            self.held.entry(size(&event));
            held.events.push(event);
            return Ok(());
        }
        match event {
            // White space behind whole arguments says nothing.
            Event::Delta { text, .. } if text.trim().is_empty() => Ok(()),
            Event::Begin { .. }
            | Event::Delta { .. }
            | Event::End { .. }
            | Event::Finish { .. }
            | Event::Logprobs { .. }
            | Event::Ping
            | Event::Sign { .. }
            | Event::Start { .. } => Err(Unwritable),
        }
    }

    fn end(&mut self, block: u32, out: &mut Vec<Event>) {
        if self.open.as_ref().is_some_and(|open| open.block == block) {
            self.close(out);
            self.advance(out);
        } else if let Some(held) = self.waiting.iter_mut().find(|held| held.block == block) {
            held.ended = true;
        }
    }

    /// Lets those begin that waited for the open one, when it may end.
    fn advance(&mut self, out: &mut Vec<Event>) {
        while self.open.as_ref().is_none_or(Open::may_end) {
            let Some(held) = self.waiting.pop_front() else {
                return;
            };
            self.close(out);
            self.release(held.events, out);
            if held.ended {
                self.close(out);
            }
        }
    }

    fn release(&mut self, events: Vec<Event>, out: &mut Vec<Event>) {
        for event in events {
            self.held.gone(size(&event));
            self.pass(event, out);
        }
    }

    /// An event of the open block, or the beginning of one.
    fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        if let Event::Begin { block, start, .. } = &event {
            let is_call = matches!(start, BlockStart::ToolCall { .. });
            self.open = Some(Open {
                block: *block,
                arguments: is_call.then(Braces::default),
            });
        } else if let Event::Delta { text, .. } = &event
            && let Some(open) = &mut self.open
            && let Some(arguments) = &mut open.arguments
        {
            arguments.read(text);
        }
        out.push(event);
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            out.push(Event::End { block: open.block });
        }
    }
}

impl Open {
    /// Text and thoughts can end at any time, a call when its arguments are whole.
    fn may_end(&self) -> bool {
        self.arguments.as_ref().is_none_or(Braces::is_whole)
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Delta { text, .. } => text.len(),
        Event::Sign { signature, .. } => signature.len(),
        Event::Begin { start, .. } => start.text(),
        Event::End { .. }
        | Event::Finish { .. }
        | Event::Logprobs { .. }
        | Event::Ping
        | Event::Start { .. } => 0,
    }
}

/// Whether a JSON object that comes in pieces has come to its end.
#[derive(Debug, Default)]
struct Braces {
    depth: usize,
    began: bool,
    in_string: bool,
    escaped: bool,
}

impl Braces {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.began = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.began && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::FinishReason;

    fn call(block: u32) -> Event {
        Event::Begin {
            choice: 0,
            block,
            start: BlockStart::ToolCall {
                id: format!("call_{block}"),
                name: String::from("f"),
                signature: None,
            },
        }
    }

    fn text(block: u32) -> Event {
        Event::Begin {
            choice: 0,
            block,
            start: BlockStart::Text,
        }
    }

    fn delta(block: u32, text: &str) -> Event {
        Event::Delta {
            block,
            text: text.to_owned(),
        }
    }

    fn finish() -> Event {
        Event::Finish {
            choice: 0,
            reason: FinishReason::ToolCalls,
        }
    }

    /// One letter an event, to be read at a glance.
    fn run(events: Vec<Event>) -> Result<String, Unwritable> {
        let (mut sequence, mut out) = (Sequence::default(), Vec::new());
        for event in events {
            sequence.push(event, &mut out)?;
        }
        let shown = out.iter().map(|event| match event {
            Event::Begin { block, .. } => format!("<{block}"),
            Event::Delta { text, .. } => text.clone(),
            Event::End { block } => format!("{block}>"),
            Event::Finish { .. } => String::from("."),
            Event::Sign { .. } | Event::Start { .. } | Event::Logprobs { .. } | Event::Ping => {
                String::from("?")
            }
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn calls_that_come_in_turn_are_put_one_after_the_other() {
        let mixed = vec![
            call(0),
            call(1),
            delta(0, "{\"a\":"),
            delta(1, "{\"b\":"),
            delta(0, "\"}\"}"),
            delta(1, "2}"),
            finish(),
        ];
        assert_eq!(
            run(mixed).unwrap(),
            "<0 {\"a\": \"}\"} 0> <1 {\"b\": 2} 1> ."
        );
    }

    #[test]
    fn calls_that_come_one_after_the_other_are_not_held_back() {
        let (mut sequence, mut out) = (Sequence::default(), Vec::new());
        for event in [call(0), delta(0, "{}"), call(1), delta(1, "{")] {
            sequence.push(event, &mut out).unwrap();
        }
        assert_eq!(out.len(), 5);
        assert!(sequence.waiting.is_empty());
    }

    #[test]
    fn text_ends_where_the_next_block_begins() {
        let events = vec![text(0), delta(0, "hi"), call(1), text(2), finish()];
        assert_eq!(run(events).unwrap(), "<0 hi 0> <1 1> <2 2> .");
    }

    #[test]
    fn arguments_that_are_no_json_are_all_there_in_the_end() {
        let events = vec![
            call(0),
            delta(0, "{oops"),
            call(1),
            delta(1, "{}"),
            finish(),
        ];
        assert_eq!(run(events).unwrap(), "<0 {oops 0> <1 {} 1> .");
    }

    #[test]
    fn more_of_a_block_that_ended_is_an_error_not_a_loss() {
        let late = vec![call(0), delta(0, "{}"), call(1), delta(0, "{\"a\":1}")];
        assert_eq!(run(late), Err(Unwritable));
        let space = vec![call(0), delta(0, "{}"), call(1), delta(0, " \n"), finish()];
        assert_eq!(run(space).unwrap(), "<0 {} 0> <1 1> .");
    }

    #[test]
    fn what_waits_is_counted_until_it_had_its_turn() {
        let (mut sequence, mut out) = (Sequence::default(), Vec::new());
        let mut push = |event| {
            sequence.push(event, &mut out).unwrap();
            sequence.held()
        };
        assert_eq!(push(call(0)), 0);
        let begun = push(call(1));
        assert!(begun > 0, "each block costs something");
        assert!(push(delta(1, "{\"a\":1}")) >= begun + 7);
        assert_eq!(push(delta(0, "{}")), 0);
    }
}
