//! Integration tests: one binary, a module a story.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod architecture;
mod deploy;
mod examples;
mod pins;
mod supervise;
