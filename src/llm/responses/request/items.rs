//! The items of the input → the messages of the IR.
//!
//! What a model said in one turn is several items here and one message elsewhere,
//! and so are the results of tools that it called at once.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::parts;
use super::tools::Offered;
use super::wire::{Item, Part};
use crate::ApiError;
use crate::ir::{At, Block, ChatRequest, Content, List, Message, Role, Unknown};
use crate::object::{self, OneOrMany, OneOrManyOrOther, Text, invalid, missing};
use crate::responses::reasoning;

/// Kinds of item that are understood.
const KINDS: [&str; 7] = [
    "custom_tool_call",
    "custom_tool_call_output",
    "function_call",
    "function_call_output",
    "item_reference",
    "message",
    "reasoning",
];

/// Puts items into a request, one after the other.
pub(super) struct Items<'r> {
    request: &'r mut ChatRequest,
    offered: &'r mut Offered,
    /// The last message consists of results of tools.
    results: bool,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
}

impl<'r> Items<'r> {
    pub(super) fn new(request: &'r mut ChatRequest, offered: &'r mut Offered) -> Self {
        Self {
            request,
            offered,
            results: false,
        }
    }

    /// The input where it is a plain text.
    pub(super) fn text(&mut self, text: String) {
        let at = At::item(List::Messages, 0);
        let block = Block::new(Content::Text(text), at);
        self.message(Role::User, vec![block], at);
    }

    /// The next item.
    pub(super) fn push(&mut self, raw: &RawValue, index: usize) -> Result<(), ApiError> {
        let at = At::item(List::Messages, index);
        let path = format!("input[{index}]");
        let item: Item<'_> = match serde_json::from_str(raw.get()) {
            Ok(item) => item,
            // Of an unknown kind its members may be of any type.
            Err(_) if is_unknown(raw) => Item {
                kind: Some(Text("unknown".into())),
                ..Item::default()
            },
            Err(_) => object::read_at(raw, &path)?,
        };
        let kind = match (&item.kind, &item.role, &item.id) {
            (Some(kind), _, _) => kind.as_str().to_owned(),
            (None, Some(_), _) => String::from("message"),
            (None, None, Some(_)) => String::from("item_reference"),
            (None, None, None) => return Err(missing(&format!("{path}.type"))),
        };
        let unknown = &mut self.request.unknown;
        if KINDS.contains(&kind.as_str()) {
            unknown.extend(item.rest.iter().map(|(name, _)| Unknown {
                at,
                name: name.clone().into_owned(),
            }));
        }
        match kind.as_str() {
            "message" => self.said(item, at, &path)?,
            "function_call" | "custom_tool_call" => self.call(item, index, &path)?,
            "function_call_output" | "custom_tool_call_output" => self.result(item, at, &path)?,
            "reasoning" => self.reasoning(item, at),
            "item_reference" => {
                let what = "refers to what the provider keeps, and the upstream of this model \
                            keeps nothing; send the item itself";
                return Err(invalid(&path, what));
            }
            _ => self.turn(Block::new(Content::Other(raw.to_owned()), at)),
        }
        Ok(())
    }

    fn said(&mut self, item: Item<'_>, at: At, path: &str) -> Result<(), ApiError> {
        let role = match item.role.as_ref().map(Text::as_str) {
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            Some("user") => Role::User,
            Some(_) => {
                return Err(invalid(
                    &format!("{path}.role"),
                    "must be one of user, assistant, system, developer",
                ));
            }
            None => return Err(missing(&format!("{path}.role"))),
        };
        let place = |part| at.part(part);
        let content = item
            .content
            .ok_or_else(|| missing(&format!("{path}.content")))?;
        let blocks = self.blocks(content, at, place, &format!("{path}.content"))?;
        match role {
            Role::Assistant => {
                for block in blocks {
                    self.turn(block);
                }
            }
            Role::System if self.request.messages.is_empty() => self.request.system.extend(blocks),
            Role::System | Role::User => self.message(role, blocks, at),
        }
        Ok(())
    }

    fn blocks(
        &mut self,
        content: OneOrManyOrOther<'_, Part<'_>>,
        at: At,
        place: impl Fn(usize) -> At,
        path: &str,
    ) -> Result<Vec<Block>, ApiError> {
        match content.0 {
            Some(OneOrMany::One(text)) => {
                Ok(vec![Block::new(Content::Text(text.into_string()), at)])
            }
            Some(OneOrMany::Many(all)) => all
                .into_iter()
                .enumerate()
                .map(|(index, part)| parts::read(part, place(index), &mut self.request.unknown))
                .collect(),
            None => Err(invalid(path, "must be a string or a list")),
        }
    }

    fn call(&mut self, item: Item<'_>, index: usize, path: &str) -> Result<(), ApiError> {
        let name = item.name.ok_or_else(|| missing(&format!("{path}.name")))?;
        let namespace = item.namespace.as_ref().map_or("", Text::as_str);
        let id = item
            .call_id
            .ok_or_else(|| missing(&format!("{path}.call_id")))?;
        // The text of a custom tool, as the arguments that a function would have.
        let custom = item.input.map(|input| {
            let input = crate::json::to_line(&input.as_str());
            format!("{{\"input\":{input}}}")
        });
        let arguments = item.arguments.map(Text::into_string).or(custom);
        let call = Content::ToolCall {
            id: id.into_string(),
            name: self.offered.flat(namespace, name.as_str()),
            arguments: arguments.unwrap_or_default(),
            signature: None,
        };
        self.turn(Block::new(call, At::item(List::Calls, index)));
        Ok(())
    }

    fn result(&mut self, item: Item<'_>, at: At, path: &str) -> Result<(), ApiError> {
        let id = item
            .call_id
            .ok_or_else(|| missing(&format!("{path}.call_id")))?;
        let output = item
            .output
            .ok_or_else(|| missing(&format!("{path}.output")))?;
        let place = |part| at.nested(part);
        let content = self.blocks(output, at, place, &format!("{path}.output"))?;
        let result = Content::ToolResult {
            id: id.into_string(),
            content,
            is_error: false,
        };
        let block = Block::new(result, at);
        match self.request.messages.last_mut() {
            Some(last) if self.results => last.blocks.push(block),
            _ => {
                self.message(Role::User, vec![block], at);
                self.results = true;
            }
        }
        Ok(())
    }

    fn reasoning(&mut self, item: Item<'_>, at: At) {
        let shown = item.summary.unwrap_or_default().into_iter();
        let shown = shown.filter_map(|part| part.text.map(Text::into_string));
        let mut text = shown.collect::<Vec<_>>().join("\n\n");
        // Open models show their thoughts themselves.
        if let Some(OneOrManyOrOther(Some(OneOrMany::Many(content)))) = item.content
            && text.is_empty()
        {
            text = content
                .into_iter()
                .filter_map(|part| part.text.map(Text::into_string))
                .collect();
        }
        let id = item.id.as_ref().map_or("", Text::as_str);
        let encrypted = item.encrypted_content.as_ref().map(Text::as_str);
        let thinking = reasoning::open(id, encrypted, text);
        self.turn(Block::new(Content::Thinking(thinking), at));
    }

    /// A part of the model's turn.
    fn turn(&mut self, block: Block) {
        match self.request.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.blocks.push(block),
            _ => {
                let at = block.at;
                self.message(Role::Assistant, vec![block], at);
            }
        }
    }

    fn message(&mut self, role: Role, blocks: Vec<Block>, at: At) {
        self.results = false;
        self.request.messages.push(Message {
            role,
            blocks,
            name: None,
            at,
        });
    }
}

fn is_unknown(raw: &RawValue) -> bool {
    serde_json::from_str::<Tag<'_>>(raw.get())
        .ok()
        .and_then(|tag| tag.r#type)
        .is_some_and(|kind| !KINDS.contains(&kind.as_str()))
}
