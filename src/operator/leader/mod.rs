//! Leader election on a Lease, with the semantics of client-go.
//!
//! Whether a foreign lease is alive is judged by *our* clock alone: a lease that
//! did not change for its duration, counted from the moment we first saw it
//! unchanged, is dead. Clocks of different nodes are never compared. Every write
//! carries the resourceVersion that was read, so of two candidates one wins.

mod election;
mod hold;
#[cfg(test)]
mod tests;

pub(crate) use election::{Elector, Timing};
pub(crate) use hold::lead;
