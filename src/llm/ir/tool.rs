//! Tools, and the choice among them.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{At, CacheControl};

/// A tool that the model may call.
#[derive(Clone, Debug)]
pub struct Tool {
    /// What it is.
    pub kind: ToolKind,
    /// A breakpoint of the prompt cache behind it.
    pub cache: Option<CacheControl>,
    /// Where it stood.
    pub at: At,
}

/// The kinds of tool.
#[derive(Clone, Debug)]
pub enum ToolKind {
    /// A function of the client.
    Function {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema of its arguments; none: no arguments.
        parameters: Option<Box<RawValue>>,
        /// Arguments must keep to the schema.
        strict: Option<bool>,
    },
    /// A tool that the provider runs, or another that only the client's dialect
    /// knows; whole.
    Other(Box<RawValue>),
}

/// Whether the model calls tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// It may call only these.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// And it must call one.
        required: bool,
    },
    /// As it likes.
    Auto,
    /// It must call this one.
    Named(String),
    /// It must not.
    None,
    /// It must call one.
    Required,
}

/// The tools that a client groups under namespaces, or that take plain text, where the
/// others know flat names and JSON only: its answers have them as it knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(pub Arc<[Namespaced]>);

/// A tool in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaced {
    /// Its name in the IR.
    pub flat: String,
    /// The namespace; empty: none.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// It takes plain text: the argument `input` elsewhere.
    pub custom: bool,
}

impl Namespaces {
    /// The namespace and the name of a tool, where it has a namespace.
    #[must_use]
    pub fn split(&self, flat: &str) -> Option<(&str, &str)> {
        let found = self.0.iter().find(|tool| tool.flat == flat)?;
        let is_apart = !found.namespace.is_empty();
        is_apart.then_some((found.namespace.as_str(), found.name.as_str()))
    }

    /// True for a tool that takes plain text.
    #[must_use]
    pub fn is_custom(&self, flat: &str) -> bool {
        self.0.iter().any(|tool| tool.flat == flat && tool.custom)
    }
}
