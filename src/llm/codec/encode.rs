//! What the writer of a provider's request works with.

use super::Names;
use crate::capabilities::ModelCapabilities;
use crate::dropped::Dropped;
use crate::ir::{At, Field};

/// The target of a request, and what it could not take.
pub(crate) struct Encode<'a> {
    /// The upstream's name for the model.
    pub(crate) model: &'a str,
    /// What the model takes.
    pub(crate) capabilities: &'a ModelCapabilities,
    /// The client's names for fields.
    names: &'a dyn Names,
    dropped: Dropped,
}

impl<'a> Encode<'a> {
    /// Nothing dropped so far.
    pub(crate) fn new(
        model: &'a str,
        capabilities: &'a ModelCapabilities,
        names: &'a dyn Names,
    ) -> Self {
        Self {
            model,
            capabilities,
            names,
            dropped: Dropped::default(),
        }
    }

    /// Notes a field that cannot be carried.
    pub(crate) fn drop(&mut self, at: At, field: Field) {
        self.dropped.field(self.names, at, field);
    }

    /// Notes a field of the request itself.
    pub(crate) fn drop_top(&mut self, field: Field) {
        self.drop(At::default(), field);
    }

    /// Notes a field that only the client's dialect knows.
    pub(crate) fn drop_named(&mut self, at: At, name: &str) {
        let mut path = self.names.place(at);
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        self.dropped.extra(&path);
    }

    /// Notes what must not be given back to this model.
    pub(crate) fn strip(&mut self, at: At, field: Field) {
        self.dropped.stripped(self.names, at, field);
    }

    /// The path of a place in the client's words.
    pub(crate) fn path(&self, at: At, field: Field) -> String {
        self.names.path(at, field)
    }

    /// What was dropped.
    pub(crate) fn into_dropped(self) -> Dropped {
        self.dropped
    }
}
