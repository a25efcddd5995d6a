//! What a dialect repeats of a request in its answers.

use std::fmt;
use std::sync::Arc;

/// Members of a JSON object, `"a":1,"b":2`, on one line. Holds prompts, so `Debug`
/// hides it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Echo(Option<Arc<str>>);

impl Echo {
    /// These members.
    #[must_use]
    pub fn new(members: &str) -> Self {
        Self(Some(Arc::from(members)))
    }

    /// The members; empty where there are none.
    #[must_use]
    pub fn members(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Echo({} bytes)", self.members().len())
    }
}
