//! The request of Messages. <https://docs.anthropic.com/en/api/messages>

mod messages;
mod read;
mod thinking;
mod wire;
mod write;

pub(crate) use messages::GREETING;
pub(crate) use read::to_ir;
pub(crate) use thinking::{Asked, OutThinking, ask};
pub(crate) use write::from_ir;
