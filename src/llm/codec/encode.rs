//! What the writer of a provider's request works with.

use super::{Names, ToolNames};
use crate::Dialect;
use crate::capabilities::ModelCapabilities;
use crate::dropped::Dropped;
use crate::ir::{At, ChatRequest, Field};

/// The target of a request, and what it could not take.
pub(crate) struct Encode<'a> {
    /// The upstream's name for the model.
    pub(crate) model: &'a str,
    /// What the model takes.
    pub(crate) capabilities: &'a ModelCapabilities,
    /// The dialect that the request came in.
    from: Dialect,
    /// The client's names for fields.
    names: &'a dyn Names,
    /// The tools whose names had to be changed.
    pub(crate) tools: ToolNames,
    dropped: Dropped,
}

impl<'a> Encode<'a> {
    /// Nothing dropped so far.
    pub(crate) fn new(
        model: &'a str,
        capabilities: &'a ModelCapabilities,
        from: Dialect,
        names: &'a dyn Names,
    ) -> Self {
        Self {
            model,
            capabilities,
            from,
            names,
            tools: ToolNames::default(),
            dropped: Dropped::default(),
        }
    }

    /// True when ids of files and the like mean something to the target.
    pub(crate) fn is_from(&self, dialect: Dialect) -> bool {
        self.from == dialect
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

    /// Notes what no writer has room for: fields within messages and tools, and
    /// top-level fields where the target speaks another dialect.
    pub(crate) fn drop_unknown(&mut self, request: &ChatRequest, target: Dialect) {
        self.drop_unknown_but(request, target, &[]);
    }

    /// The same, where these top-level fields mean one thing in both dialects.
    pub(crate) fn drop_unknown_but(
        &mut self,
        request: &ChatRequest,
        target: Dialect,
        shared: &[&str],
    ) {
        for unknown in &request.unknown {
            self.drop_named(unknown.at, &unknown.name);
        }
        if request.from != target {
            let extras = request.extra.iter();
            for extra in extras.filter(|it| !shared.contains(&it.name.as_str())) {
                self.drop_named(At::default(), &extra.name);
            }
        }
    }

    /// What was dropped, and which tools were renamed.
    pub(crate) fn into_parts(self) -> (Dropped, ToolNames) {
        (self.dropped, self.tools)
    }
}
