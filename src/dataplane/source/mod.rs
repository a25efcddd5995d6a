//! Where a plane gets its plan, its clients and its credentials.
//!
//! A source publishes immutable [`Loaded`] snapshots on a [`PlanWatch`]; a bad
//! plan never replaces a good one, and [`PlanWatch::report`] says why.
//!
//! - [`DirSource`]: the mounted files of a pod (`--plan DIR`).
//! - [`MemorySource`]: what `agentkube run` resolved from manifests.

mod dir;
mod memory;
mod plan;
mod secret;
mod watch;

pub use dir::DirSource;
pub use memory::MemorySource;
pub use plan::Plan;
pub use secret::{SecretValue, Secrets};
pub use watch::{Loaded, PlanWatch};
