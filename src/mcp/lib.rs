//! Model Context Protocol, sans-IO.
//!
//! What a proxy must know of the protocol and nothing of sockets: messages as
//! raw text, the two eras, header rules, tool names, filters, list surgery and
//! the bridge between eras. A message is never turned into a typed value and
//! back: members that this crate does not know survive, numbers keep their
//! spelling and keys their order.
//!
//! Two eras exist. *Modern* is revision 2026-07-28: stateless, every request
//! carries its context in `_meta`. *Legacy* is everything before it: a session
//! that begins with `initialize`.

#![warn(clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panicking"
    )
)]

pub mod access;
pub mod bridge;
pub mod capability;
pub mod error;
pub mod filter;
pub mod header;
pub mod inbound;
pub mod json;
pub mod list;
pub mod message;
pub mod meta;
pub mod method;
pub mod name;
pub mod param;
pub mod pin;
pub mod probe;
pub mod seal;
pub mod session;
pub mod sse;
pub mod task;
mod template;
mod version;

pub use access::{Access, Grant, Granted};
pub use error::ErrorObject;
pub use filter::ToolFilter;
pub use message::{Body, Id, Kind, Malformed, Message};
pub use name::Namer;
pub use template::UriTemplate;
pub use version::{Era, Version};

/// Deepest nesting of objects and arrays that is let through in a message.
///
/// Deeper than any schema in the field, and shallow enough for the recursive
/// parsers on either side of the proxy.
pub const MAX_DEPTH: usize = 128;
