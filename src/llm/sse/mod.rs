//! Server-sent events, as the HTML standard defines them (section 9.2,
//! "Server-sent events"): incremental reading, and writing without injection.

mod decoder;
mod encoder;
mod event;
mod framer;

pub use decoder::{Decoder, EVENT_LIMIT, EventTooLarge, Frame, FrameKind, Source};
pub use encoder::{comment, event};
pub use event::Event;

#[cfg(test)]
mod tests;
