//! The request of responses.
//! <https://platform.openai.com/docs/api-reference/responses/create>

mod items;
mod messages;
mod parts;
mod read;
mod tools;
mod wire;
mod write;

pub(crate) use read::to_ir;
pub(crate) use write::from_ir;
