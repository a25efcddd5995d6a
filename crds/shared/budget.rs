//! Whose consumption a limit or a budget counts together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose consumption is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LimitScope {
    /// All clients and models share one bucket.
    Global,
    /// Every client has a bucket of its own.
    #[default]
    PerClient,
    /// Every model has a bucket that all clients share.
    PerModel,
}
