//! Writes children: server-side apply, one field manager, nothing when nothing
//! changed, and never over an object that is somebody else's.

mod compare;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use compare::covers;
pub(crate) use write::{Applied, ApplyError, Children, apply, remove};

/// The field manager of every write.
pub(crate) const FIELD_MANAGER: &str = "agentkube";

/// Digest of what was applied, on every child: a field that is no longer wanted
/// cannot be seen by comparing what is wanted with what is there.
pub(crate) const APPLIED: &str = "agentkube.io/applied";
