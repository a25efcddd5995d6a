//! A client's request → IR.

use super::config;
use super::parts::{self, Calls};
use super::read_tools;
use super::wire::{Request, WireContent};
use crate::codec::Inbound;
use crate::ir::{At, Block, ChatRequest, Content, Extra, List, Message, Role, Thinking, Unknown};
use crate::object::{self, Rest, Text, invalid, missing};
use crate::{ApiError, Dialect};

/// Reads a request.
pub(in crate::gemini) fn to_ir(inbound: Inbound<'_>) -> Result<ChatRequest, ApiError> {
    let wire: Request<'_> = object::read(inbound.body)?;
    let mut request = ChatRequest::new(Dialect::Gemini);
    request.include_usage = true;
    request.stream = inbound.stream.unwrap_or_default();
    if wire.cached.is_some() {
        // A part of the prompt that nobody else has: no answer would be one to it.
        return Err(invalid(
            "cachedContent",
            "names content that the upstream of this model does not have; send it in `contents`",
        ));
    }
    if let Some(system) = wire.system {
        request.system = self::system(system, &mut request.unknown)?;
    }
    let contents = wire.contents.ok_or_else(|| missing("contents"))?.0;
    let mut calls = Calls::default();
    for (index, content) in contents.into_iter().enumerate() {
        let message = self::message(content, index, &mut calls, &mut request.unknown)?;
        push(&mut request.messages, message);
    }
    if let Some(tools) = wire.tools {
        read_tools::tools(tools.0, &mut request)?;
    }
    if let Some(config) = wire.tool_config {
        read_tools::choice(config, &mut request)?;
    }
    if let Some(config) = wire.config {
        config::read(config, &mut request)?;
    }
    request.metadata = wire.labels.map(ToOwned::to_owned);
    request.extra = extra(wire.rest);
    Ok(request)
}

/// Fields for which the IR has no room, but those that only say what is so anyway.
fn extra(rest: Rest<'_>) -> Vec<Extra> {
    let says_nothing = |value: &str| matches!(value, "[]" | "{}");
    rest.into_iter()
        .filter(|(_, value)| !says_nothing(value.get()))
        .map(|(name, value)| Extra {
            name: name.into_owned(),
            value: value.to_owned(),
        })
        .collect()
}

/// Notes the members that nobody knows.
pub(super) fn note(unknown: &mut Vec<Unknown>, at: At, prefix: &str, rest: &Rest<'_>) {
    unknown.extend(rest.iter().map(|(name, _)| Unknown {
        at,
        name: format!("{prefix}{name}"),
    }));
}

fn system(content: WireContent<'_>, unknown: &mut Vec<Unknown>) -> Result<Vec<Block>, ApiError> {
    let at = At {
        list: List::System,
        ..At::default()
    };
    note(unknown, at, "", &content.rest);
    let parts = content.parts.map(|parts| parts.0).unwrap_or_default();
    let mut blocks = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let read = parts::content(part, at.part(index), &mut Calls::default(), unknown)?;
        blocks.extend(read.map(|content| Block::new(content, at.part(index))));
    }
    Ok(blocks)
}

fn message(
    content: WireContent<'_>,
    index: usize,
    calls: &mut Calls,
    unknown: &mut Vec<Unknown>,
) -> Result<Message, ApiError> {
    let at = At::item(List::Messages, index);
    note(unknown, at, "", &content.rest);
    let role = match content.role.as_ref().map(Text::as_str) {
        // `function`: an older word for who brings results.
        None | Some("user" | "function" | "") => Role::User,
        Some("model") => Role::Assistant,
        Some(_) => {
            let path = format!("contents[{index}].role");
            return Err(invalid(&path, "must be one of user, model"));
        }
    };
    let parts = content
        .parts
        .ok_or_else(|| missing(&format!("contents[{index}].parts")))?;
    let mut blocks = Vec::with_capacity(parts.0.len());
    for (place, part) in parts.0.into_iter().enumerate() {
        let at = at.part(place);
        let read = parts::content(part, at, calls, unknown)?;
        blocks.extend(read.map(|content| Block::new(content, at)));
    }
    Ok(Message {
        role,
        blocks,
        name: None,
        at,
    })
}

/// A client of a stream keeps each of its events as a content: what the model said in
/// one turn is one message.
fn push(messages: &mut Vec<Message>, message: Message) {
    if message.role != Role::Assistant {
        return messages.push(message);
    }
    match messages.last_mut() {
        Some(last) if last.role == Role::Assistant => {
            message
                .blocks
                .into_iter()
                .for_each(|it| join(&mut last.blocks, it));
        }
        _ => {
            let mut blocks = Vec::with_capacity(message.blocks.len());
            message
                .blocks
                .into_iter()
                .for_each(|it| join(&mut blocks, it));
            messages.push(Message { blocks, ..message });
        }
    }
}

/// Joins pieces of one text, and thoughts with the signature that came behind them.
fn join(blocks: &mut Vec<Block>, block: Block) {
    match (blocks.last_mut().map(|it| &mut it.content), block.content) {
        (Some(Content::Text(text)), Content::Text(more)) => text.push_str(&more),
        (
            Some(Content::Thinking(Thinking::Text {
                text,
                signature: open @ None,
            })),
            Content::Thinking(Thinking::Text {
                text: more,
                signature,
            }),
        ) => {
            text.push_str(&more);
            *open = signature;
        }
        (_, content) => blocks.push(Block { content, ..block }),
    }
}
