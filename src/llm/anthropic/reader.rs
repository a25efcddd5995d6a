//! The events of a streamed message → the events of the IR.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::finish;
use crate::codec::{EventReader, Held, Unreadable};
use crate::ir::{BlockStart, Event};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    blocks: Vec<BlockState>,
    held: Held,
}

#[derive(Debug)]
struct BlockState {
    block: u32,
    /// Of a kind that only comes to those who asked for the provider's own tools.
    unknown: bool,
    /// Arguments in the start: only of servers that send no deltas. Anthropic's
    /// are always `{}` there, and the deltas are all of them.
    whole: Option<String>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct BlockBegin<'a> {
    index: u32,
    #[serde(borrow)]
    content_block: WireBlock<'a>,
}

#[derive(Deserialize)]
struct WireBlock<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    index: u32,
    #[serde(borrow)]
    delta: WireDelta<'a>,
}

#[derive(Deserialize)]
struct WireDelta<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct BlockEnd {
    index: u32,
}

#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow)]
    delta: Option<StopDelta<'a>>,
}

#[derive(Deserialize)]
struct StopDelta<'a> {
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(data).map_err(|_| Unreadable)
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let data = event.data.as_ref();
        // By the name; by the data's own word where a server sends no names.
        let kind = if event.name.is_empty() {
            parse::<Tag<'_>>(data)?.r#type.into_string()
        } else {
            String::from_utf8_lossy(event.name).into_owned()
        };
        match kind.as_str() {
            "message_start" => {
                let start: Start<'_> = parse(data)?;
                self.start(start.message.id.map(Text::into_string), out);
            }
            "content_block_start" => {
                self.start(None, out);
                self.begin(parse(data)?, out)?;
            }
            "content_block_delta" => self.delta(parse(data)?, out)?,
            "content_block_stop" => self.end(parse::<BlockEnd>(data)?.index, out),
            "message_delta" => {
                self.start(None, out);
                let message: MessageDelta<'_> = parse(data)?;
                if let Some(delta) = message.delta
                    && let Some(word) = delta.stop_reason
                {
                    let text = delta.stop_sequence.map(Text::into_string);
                    out.push(Event::Finish {
                        choice: 0,
                        reason: finish(word.as_str(), text),
                    });
                }
            }
            "ping" => out.push(Event::Ping),
            // "New event types may be added, and your code should handle unknown
            // event types gracefully."
            _ => {}
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }
}

impl Reader {
    /// Servers that repeat the beginning, or leave it out, still begin once.
    fn start(&mut self, id: Option<String>, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: id.unwrap_or_default(),
                created: None,
            });
        }
    }

    fn begin(&mut self, wire: BlockBegin<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let block = wire.index;
        let mut state = BlockState {
            block,
            unknown: false,
            whole: None,
        };
        let content = wire.content_block;
        let mut early = None;
        let start = match content.r#type.as_str() {
            "text" => {
                early = content.text;
                BlockStart::Text
            }
            "thinking" => {
                early = content.thinking;
                BlockStart::Thinking
            }
            "redacted_thinking" => BlockStart::Redacted {
                data: content.data.ok_or(Unreadable)?.into_string(),
            },
            "tool_use" => {
                let input = content.input.map(|raw| raw.get().to_owned());
                state.whole = input.filter(|input| input != "{}");
                BlockStart::ToolCall {
                    id: content.id.ok_or(Unreadable)?.into_string(),
                    name: content.name.ok_or(Unreadable)?.into_string(),
                    signature: None,
                }
            }
            _ => {
                state.unknown = true;
                self.keep(state);
                return Ok(());
            }
        };
        self.keep(state);
        out.push(Event::Begin {
            choice: 0,
            block,
            start,
        });
        push_delta(block, early, out);
        if let Some(signature) = content.signature {
            push_sign(block, signature, out);
        }
        Ok(())
    }

    fn keep(&mut self, state: BlockState) {
        self.held.entry(state.text());
        self.blocks.push(state);
    }

    fn delta(&mut self, wire: BlockDelta<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let block = wire.index;
        let of_block = |state: &&mut BlockState| state.block == block;
        let state = self.blocks.iter_mut().rev().find(of_block);
        let state = state.ok_or(Unreadable)?;
        if state.unknown {
            return Ok(());
        }
        let delta = wire.delta;
        match delta.r#type.as_str() {
            "text_delta" => push_delta(block, Some(delta.text.ok_or(Unreadable)?), out),
            "thinking_delta" => push_delta(block, Some(delta.thinking.ok_or(Unreadable)?), out),
            "input_json_delta" => {
                let piece = delta.partial_json.ok_or(Unreadable)?;
                if !piece.as_str().is_empty() {
                    self.held.less(state.text());
                    state.whole = None;
                }
                push_delta(block, Some(piece), out);
            }
            "signature_delta" => push_sign(block, delta.signature.ok_or(Unreadable)?, out),
            // Citations, and what comes after them.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, block: u32, out: &mut Vec<Event>) {
        let Some(at) = self.blocks.iter().rposition(|state| state.block == block) else {
            return;
        };
        let state = self.blocks.remove(at);
        self.held.gone(state.text());
        if state.unknown {
            return;
        }
        if let Some(text) = state.whole {
            out.push(Event::Delta { block, text });
        }
        out.push(Event::End { block });
    }
}

impl BlockState {
    fn text(&self) -> usize {
        self.whole.as_ref().map_or(0, String::len)
    }
}

fn push_delta(block: u32, text: Option<Text<'_>>, out: &mut Vec<Event>) {
    if let Some(text) = text.filter(|text| !text.as_str().is_empty()) {
        out.push(Event::Delta {
            block,
            text: text.into_string(),
        });
    }
}

fn push_sign(block: u32, signature: Text<'_>, out: &mut Vec<Event>) {
    if !signature.as_str().is_empty() {
        out.push(Event::Sign {
            block,
            signature: signature.into_string(),
        });
    }
}
