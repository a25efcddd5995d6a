//! Scripted upstreams for the tests: servers on loopback that record every
//! request and answer exactly as told, down to the chunk.
//!
//! ```no_run
//! # async fn example() {
//! use agentkube_testkit::{Gate, Reply, Upstream};
//!
//! let gate = Gate::new();
//! let held = gate.clone();
//! let upstream = Upstream::start(move |_request| {
//!     Reply::sse().chunk("data: one\n\n").gate(&held).chunk("data: two\n\n")
//! })
//! .await;
//! // … point the gateway at upstream.url("/v1"), call it, read the first event …
//! gate.reached().await; // the upstream holds the second event back
//! gate.open();
//! assert_eq!(upstream.request(0).await.path, "/v1/chat/completions");
//! # }
//! ```
//!
//! [`scripts::by_model`] is a whole provider, whose behaviour the model name
//! chooses; the program `agentkube-testkit-upstream` serves it to tests outside
//! Rust, with [`control`] endpoints to read the record and to open gates.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test kit fails the test that uses it by panicking"
)]

pub mod control;
mod feed;
mod gate;
mod reply;
mod request;
pub mod scripts;
mod upstream;
mod wait;

pub use feed::Feed;
pub use gate::{Gate, Gates};
pub use reply::Reply;
pub use request::Request;
pub use upstream::{Outcome, Upstream};
pub use wait::{DEADLINE, eventually, within};

#[cfg(test)]
mod tests;
