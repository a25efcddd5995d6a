//! HTTP/1.1 as a client speaks it (RFC 9112): one request, its answer, the next one.
//!
//! Nothing here knows of a pool, a task or a timer. Whoever waits for an answer polls
//! the stream with its own waker; bytes are not copied on their way from the read
//! buffer into headers and pieces of the body.
//!
//! ```text
//! Outgoing: head and body in one write → Awaited: the head of the answer → Left: its body
//! ```
//!
//! # Guarantees
//! - A connection is used again only when the request was written and its answer was
//!   read to their ends, both sides keep it, and nothing came behind the answer.
//! - An answer that breaks off is an error, never a shorter answer, where its length
//!   can be known.
//! - What a peer can make us hold is bounded, and no bytes of its make us panic.

mod chunked;
mod connection;
mod error;
mod fields;
mod head;
mod left;
mod outgoing;
mod room;
#[cfg(test)]
mod tests;

pub(crate) use connection::Connection;
pub(crate) use error::Error;
pub(crate) use head::Head;
