//! What a dialect must be able to do to take part in translation, and the one
//! place where dialects are registered. `ir` tells how one is added.

mod client;
mod encode;
mod frames;
mod provider;

pub(crate) use client::{ClientWire, EventWriter, Inbound, Names, Replays, Reply, Unwritable};
pub(crate) use encode::Encode;
pub use frames::{FrameError, Framing};
pub(crate) use frames::{Frames, Piece};
pub(crate) use provider::{Encoded, EventReader, ProviderWire, Unreadable};
