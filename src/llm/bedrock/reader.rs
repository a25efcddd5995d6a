//! The events of a streamed answer → the events of the IR.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::response::finish;
use crate::codec::{EventReader, Held, Unreadable};
use crate::ir::{BlockStart, Event};
use crate::object::Text;
use crate::sse;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    blocks: Vec<BlockState>,
    held: Held,
}

/// A block that is open. Only calls announce themselves; what others are their
/// first delta tells.
#[derive(Debug)]
struct BlockState {
    block: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Announced,
    /// Opaque thoughts, decoded: the IR has them in one piece.
    Redacted(Vec<u8>),
    /// Of a kind that only comes to those who asked for it.
    Unknown,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockBegin<'a> {
    content_block_index: u32,
    #[serde(borrow)]
    start: Start<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    /// `server_tool_use`: the provider runs it itself.
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta<'a> {
    content_block_index: u32,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    tool_use: Option<Input<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow)]
    input: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockEnd {
    content_block_index: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stop<'a> {
    #[serde(borrow)]
    stop_reason: Text<'a>,
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(data).map_err(|_| Unreadable)
}

impl EventReader for Reader {
    fn read(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        let data = event.data.as_ref();
        match event.name {
            b"messageStart" => self.start(out),
            b"contentBlockStart" => self.begin(parse(data)?, out),
            b"contentBlockDelta" => self.delta(parse(data)?, out)?,
            b"contentBlockStop" => self.end(parse::<BlockEnd>(data)?.content_block_index, out),
            b"messageStop" => {
                self.start(out);
                let stop: Stop<'_> = parse(data)?;
                out.push(Event::Finish {
                    choice: 0,
                    reason: finish(stop.stop_reason.as_str()),
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.held.bytes()
    }
}

impl Reader {
    /// Exactly once, also where a server left it out.
    fn start(&mut self, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: String::new(),
                created: None,
            });
        }
    }

    fn begin(&mut self, wire: BlockBegin<'_>, out: &mut Vec<Event>) {
        self.start(out);
        let block = wire.content_block_index;
        let call = wire.start.tool_use.filter(|call| call.r#type.is_none());
        let kind = match call {
            Some(call) => {
                out.push(Event::Begin {
                    choice: 0,
                    block,
                    start: BlockStart::ToolCall {
                        id: call.tool_use_id.into_string(),
                        name: call.name.into_string(),
                        signature: None,
                    },
                });
                Kind::Announced
            }
            None => Kind::Unknown,
        };
        self.held.entry(0);
        self.blocks.push(BlockState { block, kind });
    }

    fn delta(&mut self, wire: BlockDelta<'_>, out: &mut Vec<Event>) -> Result<(), Unreadable> {
        self.start(out);
        let block = wire.content_block_index;
        let delta = wire.delta;
        let at = match self.blocks.iter().rposition(|it| it.block == block) {
            Some(at) => at,
            None => self.announce(block, &delta, out)?,
        };
        let Some(state) = self.blocks.get_mut(at) else {
            return Err(Unreadable);
        };
        let (mut text, mut signature) = (delta.text, None);
        text = text.or(delta.tool_use.map(|it| it.input));
        if let Some(thought) = delta.reasoning_content {
            text = text.or(thought.text);
            signature = thought.signature;
            if let (Kind::Redacted(all), Some(more)) = (&mut state.kind, thought.redacted_content) {
                let more = STANDARD.decode(more.as_str()).map_err(|_| Unreadable)?;
                self.held.more(more.len());
                all.extend_from_slice(&more);
            }
        }
        if !matches!(state.kind, Kind::Announced) {
            return Ok(());
        }
        let text = text.map(Text::into_string).filter(|it| !it.is_empty());
        out.extend(text.map(|text| Event::Delta { block, text }));
        let signature = signature.map(Text::into_string).filter(|it| !it.is_empty());
        out.extend(signature.map(|signature| Event::Sign { block, signature }));
        Ok(())
    }

    /// A block whose first delta says what it is.
    fn announce(
        &mut self,
        block: u32,
        delta: &Delta<'_>,
        out: &mut Vec<Event>,
    ) -> Result<usize, Unreadable> {
        let start = match delta {
            // A call of which nobody knows the tool.
            Delta {
                tool_use: Some(_), ..
            } => return Err(Unreadable),
            Delta { text: Some(_), .. } => Some(BlockStart::Text),
            Delta {
                reasoning_content: Some(thought),
                ..
            } if thought.redacted_content.is_none() => Some(BlockStart::Thinking),
            Delta { .. } => None,
        };
        let kind = match start {
            Some(start) => {
                out.push(Event::Begin {
                    choice: 0,
                    block,
                    start,
                });
                Kind::Announced
            }
            None if delta.reasoning_content.is_some() => Kind::Redacted(Vec::new()),
            None => Kind::Unknown,
        };
        self.held.entry(0);
        self.blocks.push(BlockState { block, kind });
        Ok(self.blocks.len() - 1)
    }

    fn end(&mut self, block: u32, out: &mut Vec<Event>) {
        let Some(at) = self.blocks.iter().rposition(|it| it.block == block) else {
            return;
        };
        let kind = self.blocks.remove(at).kind;
        self.held.gone(match &kind {
            Kind::Redacted(all) => all.len(),
            Kind::Announced | Kind::Unknown => 0,
        });
        match kind {
            Kind::Unknown => return,
            Kind::Announced => {}
            Kind::Redacted(all) => out.push(Event::Begin {
                choice: 0,
                block,
                start: BlockStart::Redacted {
                    data: STANDARD.encode(all),
                },
            }),
        }
        out.push(Event::End { block });
    }
}
