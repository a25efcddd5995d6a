//! The request of `generateContent`.
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference#request>

mod config;
mod messages;
mod parts;
mod read;
mod read_tools;
mod thinking;
mod tools;
mod wire;
mod write;

pub(super) use read::to_ir;
pub(super) use write::from_ir;
