//! Anthropic Messages.

pub(crate) mod error;
pub(crate) mod stream;
pub(crate) mod usage;
