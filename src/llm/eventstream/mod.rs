//! `application/vnd.amazon.eventstream`: the binary frames in which AWS streams.
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>
//!
//! ```text
//! total length u32 │ headers' length u32 │ CRC32 of both
//! headers: name length u8, name, type u8, value …
//! payload
//! CRC32 of everything before
//! ```

mod decoder;
mod encoder;
mod headers;

pub use decoder::Decoder;
pub(crate) use encoder::write_event;
pub use encoder::{event, exception};

/// Both lengths and their checksum: bytes.
const PRELUDE: usize = 12;
/// The checksum at the end: bytes.
const TRAILER: usize = 4;

/// Stands before the names of exceptions, so that no event can be taken for one.
pub(crate) const EXCEPTION: &str = "exception:";
/// Stands before the codes of errors that are not modelled.
pub(crate) const ERROR: &str = "error:";

#[cfg(test)]
mod tests;
