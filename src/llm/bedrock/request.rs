//! The request of Converse.

mod additional;
mod documents;
mod messages;
mod read;
mod read_blocks;
mod tools;
mod wire;
mod write;

pub(super) use read::to_ir;
pub(super) use write::from_ir;
