//! The events of a streamed response → the events of the IR.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::{self, Details, WireItem, WirePart};
use super::{reasoning, stream};
use crate::codec::{EventReader, Held, Unreadable};
use crate::ir::{BlockStart, Event, FinishReason};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    open: Vec<Open>,
    /// The next block's number.
    next: u32,
    called: bool,
    refused: bool,
    held: Held,
}

/// A block of an item that is not done.
#[derive(Debug)]
struct Open {
    item: u32,
    part: u32,
    block: u32,
    /// Something of it was said.
    said: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refusal,
    Text,
    Thinking,
}

#[derive(Deserialize)]
struct Lifecycle<'a> {
    #[serde(borrow)]
    response: WireResponse<'a>,
}

#[derive(Deserialize)]
struct WireResponse<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    created_at: Option<f64>,
    #[serde(borrow)]
    incomplete_details: Option<Details<'a>>,
}

#[derive(Deserialize)]
struct ItemEvent<'a> {
    output_index: u32,
    #[serde(borrow)]
    item: WireItem<'a>,
}

#[derive(Deserialize)]
struct PartEvent<'a> {
    output_index: u32,
    content_index: u32,
    #[serde(borrow)]
    part: WirePart<'a>,
}

/// A piece, or all of what the pieces were.
#[derive(Deserialize)]
struct Piece<'a> {
    output_index: u32,
    #[serde(default)]
    content_index: u32,
    #[serde(default)]
    summary_index: u32,
    #[serde(borrow)]
    delta: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(data).map_err(|_| Unreadable)
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let data = event.data.as_ref();
        match stream::kind(event).as_ref() {
            "response.created" | "response.in_progress" | "response.queued" => {
                let response = parse::<Lifecycle<'_>>(data)?.response;
                self.start(Some(&response), out);
            }
            "response.output_item.added" => self.added(&parse(data)?, out)?,
            "response.content_part.added" => self.part(&parse(data)?, out),
            "response.output_text.delta" => self.piece(Kind::Text, &parse(data)?, out),
            "response.refusal.delta" => self.piece(Kind::Refusal, &parse(data)?, out),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                self.piece(Kind::Thinking, &parse(data)?, out);
            }
            "response.function_call_arguments.delta" => {
                let piece: Piece<'_> = parse(data)?;
                self.more(&piece, piece.delta.as_ref(), out);
            }
            "response.output_text.done" => self.done(Kind::Text, &parse(data)?, out),
            "response.refusal.done" => self.done(Kind::Refusal, &parse(data)?, out),
            "response.function_call_arguments.done" => {
                let piece: Piece<'_> = parse(data)?;
                if !self.said(piece.output_index, 0) {
                    self.more(&piece, piece.arguments.as_ref(), out);
                }
            }
            "response.output_item.done" => self.ended(&parse(data)?, out)?,
            "response.completed" => {
                self.start(Some(&parse::<Lifecycle<'_>>(data)?.response), out);
                self.finish(self.reason(), out);
            }
            "response.incomplete" => {
                let response = parse::<Lifecycle<'_>>(data)?.response;
                self.start(Some(&response), out);
                self.finish(response::cut_short(response.incomplete_details), out);
            }
            // Of the provider's own tools, and of what comes after them.
            _ => {}
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }
}

impl Reader {
    fn start(&mut self, response: Option<&WireResponse<'_>>, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = response.and_then(|it| it.id.as_ref());
        out.push(Event::Start {
            id: id.map_or_else(String::new, |id| id.as_str().to_owned()),
            created: response.and_then(|it| it.created_at).map(response::seconds),
        });
    }

    fn reason(&self) -> FinishReason {
        if self.called {
            FinishReason::ToolCalls
        } else if self.refused {
            FinishReason::Refusal
        } else {
            FinishReason::Stop
        }
    }

    fn finish(&mut self, reason: FinishReason, out: &mut Vec<Event>) {
        self.held = Held::default();
        let left = self.open.drain(..);
        out.extend(left.map(|open| Event::End { block: open.block }));
        out.push(Event::Finish { choice: 0, reason });
    }

    fn begin(&mut self, item: u32, part: u32, start: BlockStart, out: &mut Vec<Event>) -> u32 {
        self.start(None, out);
        let block = self.next;
        self.next += 1;
        self.refused |= start == BlockStart::Refusal;
        self.called |= matches!(start, BlockStart::ToolCall { .. });
        self.held.entry(0);
        self.open.push(Open {
            item,
            part,
            block,
            said: false,
        });
        out.push(Event::Begin {
            choice: 0,
            block,
            start,
        });
        block
    }

    fn find(&mut self, item: u32, part: u32) -> Option<&mut Open> {
        let of = |open: &&mut Open| open.item == item && open.part == part;
        self.open.iter_mut().rev().find(of)
    }

    fn said(&mut self, item: u32, part: u32) -> bool {
        self.find(item, part).is_some_and(|open| open.said)
    }

    /// Messages and thoughts begin with their first part.
    fn added(&mut self, event: &ItemEvent<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        self.start(None, out);
        if event.item.r#type.as_str() == "function_call" {
            self.call(event, out)?;
        }
        Ok(())
    }

    fn call(&mut self, event: &ItemEvent<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let item = &event.item;
        let start = BlockStart::ToolCall {
            id: item.call_id.as_ref().ok_or(Unreadable)?.as_str().to_owned(),
            name: item.name.as_ref().ok_or(Unreadable)?.as_str().to_owned(),
            signature: None,
        };
        self.begin(event.output_index, 0, start, out);
        Ok(())
    }

    fn part(&mut self, event: &PartEvent<'_>, out: &mut Vec<Event>) {
        let kind = match event.part.r#type.as_str() {
            "output_text" => Kind::Text,
            "refusal" => Kind::Refusal,
            _ => return,
        };
        self.block(kind, event.output_index, event.content_index, out);
    }

    /// The block of a part; it begins where nothing said so before.
    fn block(&mut self, kind: Kind, item: u32, part: u32, out: &mut Vec<Event>) -> u32 {
        // All parts of the thoughts are one.
        let part = if kind == Kind::Thinking { 0 } else { part };
        if let Some(open) = self.find(item, part) {
            return open.block;
        }
        let start = match kind {
            Kind::Refusal => BlockStart::Refusal,
            Kind::Text => BlockStart::Text,
            Kind::Thinking => BlockStart::Thinking,
        };
        self.begin(item, part, start, out)
    }

    fn piece(&mut self, kind: Kind, piece: &Piece<'_>, out: &mut Vec<Event>) {
        let Some(delta) = piece.delta.as_ref() else {
            return;
        };
        let item = piece.output_index;
        self.block(kind, item, piece.content_index, out);
        if kind == Kind::Thinking {
            self.paragraph(item, piece.summary_index, out);
        }
        self.push(
            item,
            part_of(kind, piece.content_index),
            delta.as_str(),
            out,
        );
        if let Some(logprobs) = piece.logprobs.and_then(response::chat_logprobs) {
            out.push(Event::Logprobs {
                choice: 0,
                logprobs,
            });
        }
    }

    /// Each part of a summary is a paragraph. The number of the last one stands
    /// where other blocks have that of their part, shifted so that it is free.
    fn paragraph(&mut self, item: u32, nth: u32, out: &mut Vec<Event>) {
        let mark = u32::MAX - nth;
        let known = self
            .open
            .iter()
            .any(|it| it.item == item && it.part == mark);
        if nth == 0 || known {
            return;
        }
        let Some(block) = self.find(item, 0).map(|open| open.block) else {
            return;
        };
        self.push(item, 0, "\n\n", out);
        self.held.entry(0);
        self.open.push(Open {
            item,
            part: mark,
            block,
            said: true,
        });
    }

    fn push(&mut self, item: u32, part: u32, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if let Some(open) = self.find(item, part) {
            open.said = true;
            out.push(Event::Delta {
                block: open.block,
                text: text.to_owned(),
            });
        }
    }

    /// Arguments of a call.
    fn more(&mut self, piece: &Piece<'_>, text: Option<&Text<'_>>, out: &mut Vec<Event>) {
        let text = text.map_or("", Text::as_str);
        self.push(piece.output_index, 0, text, out);
    }

    /// A part is whole: servers may send it in no pieces at all.
    fn done(&mut self, kind: Kind, piece: &Piece<'_>, out: &mut Vec<Event>) {
        let (item, part) = (piece.output_index, piece.content_index);
        let text = piece.text.as_ref().or(piece.refusal.as_ref());
        if let Some(text) = text
            && !self.said(item, part)
        {
            self.block(kind, item, part, out);
            self.push(item, part, text.as_str(), out);
        }
    }

    /// An item is whole: what was not said of it is said now.
    fn ended(&mut self, event: &ItemEvent<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let (item, index) = (&event.item, event.output_index);
        let known = self.open.iter().any(|open| open.item == index);
        match item.r#type.as_str() {
            "function_call" => {
                if !known {
                    self.call(event, out)?;
                }
                if let Some(arguments) = item.arguments.as_ref().filter(|_| !self.said(index, 0)) {
                    self.push(index, 0, arguments.as_str(), out);
                }
            }
            "message" if !known => {
                let said = response::said(item).ok_or(Unreadable)?;
                for (part, (refusal, text)) in (0..).zip(said) {
                    let kind = if refusal { Kind::Refusal } else { Kind::Text };
                    self.block(kind, index, part, out);
                    self.push(index, part, &text, out);
                }
            }
            "reasoning" => self.thought(event, known, out)?,
            _ => {}
        }
        self.close(index, out);
        Ok(())
    }

    fn thought(
        &mut self,
        event: &ItemEvent<'_>,
        known: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), Unreadable> {
        let (item, index) = (&event.item, event.output_index);
        let text = response::thoughts(item).ok_or(Unreadable)?;
        let encrypted = item.encrypted_content.as_ref();
        if !known && text.is_empty() && encrypted.is_none() {
            return Ok(());
        }
        let block = self.block(Kind::Thinking, index, 0, out);
        if !known {
            self.push(index, 0, &text, out);
        }
        if let Some(encrypted) = encrypted {
            let id = item.id.as_ref().map_or("", Text::as_str);
            out.push(Event::Sign {
                block,
                signature: reasoning::keep(id, encrypted.as_str()).value,
            });
        }
        Ok(())
    }

    /// The blocks of an item end.
    fn close(&mut self, item: u32, out: &mut Vec<Event>) {
        let mut ended = Vec::new();
        self.open.retain(|open| {
            let stays = open.item != item;
            if !stays {
                self.held.gone(0);
            }
            if !stays && !ended.contains(&open.block) {
                ended.push(open.block);
            }
            stays
        });
        out.extend(ended.into_iter().map(|block| Event::End { block }));
    }
}

/// The number under which a block is known: all parts of thoughts are one.
fn part_of(kind: Kind, part: u32) -> u32 {
    if kind == Kind::Thinking { 0 } else { part }
}
