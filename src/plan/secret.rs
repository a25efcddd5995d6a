//! A reference to one entry of a Secret. The value itself is never in a plan.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One entry of a Secret in the plan's own namespace.
///
/// The data plane reads it from `DIR/secrets/<name>/<key>`; messages name it as
/// `Secret "name", key "key"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretEntry {
    /// Name of the Secret.
    pub name: String,
    /// Entry in the Secret's `data`.
    pub key: String,
}

impl SecretEntry {
    /// Where the value lies, relative to the mounted `secrets` directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.name).join(&self.key)
    }
}

impl fmt::Display for SecretEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {:?}, key {:?}", self.name, self.key)
    }
}
