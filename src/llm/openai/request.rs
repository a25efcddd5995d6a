//! The request of chat completions.
//! <https://platform.openai.com/docs/api-reference/chat/create>

mod messages;
mod read;
mod wire;
mod write;

pub(crate) use read::to_ir;
pub(crate) use write::{effort, from_ir, some_effort};
