//! The request of a chat.

mod answered;
mod messages;
mod read;
mod wire;
mod write;

pub(super) use read::to_ir;
pub(super) use write::from_ir;
