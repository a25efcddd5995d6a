//! Findings as they are collected, and as they are printed.

use agentkube_crds::{FieldError, Reason, keys};

use crate::node::Node;

/// What was found: what denies, and what is only said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<FieldError>,
    pub(crate) warnings: Vec<FieldError>,
}

impl Findings {
    /// Adds what denies. The answer is there to be given a suggestion.
    pub(crate) fn error(
        &mut self,
        node: &Node<'_>,
        reason: Reason,
        message: impl Into<String>,
    ) -> &mut FieldError {
        add(&mut self.errors, node, reason, message.into())
    }

    /// Adds what is only said.
    pub(crate) fn warn(
        &mut self,
        node: &Node<'_>,
        reason: Reason,
        message: impl Into<String>,
    ) -> &mut FieldError {
        add(&mut self.warnings, node, reason, message.into())
    }

    /// Adds a reference to something that is not there: said, or, in a strict
    /// namespace, denied.
    pub(crate) fn missing(
        &mut self,
        strict: bool,
        node: &Node<'_>,
        message: impl Into<String>,
    ) -> &mut FieldError {
        let message = message.into();
        if strict {
            let why = format!(
                "{message}; the namespace's label {} denies that",
                keys::STRICT
            );
            self.error(node, Reason::NotFound, why)
        } else {
            self.warn(node, Reason::NotFound, message)
        }
    }
}

/// `spec.a: message (did you mean …?)`: how a finding is printed in one line.
#[must_use]
pub(crate) fn line(finding: &FieldError) -> String {
    finding.to_string()
}

/// The message with its suggestion, for where the field stands apart.
#[must_use]
pub(crate) fn text(finding: &FieldError) -> String {
    match &finding.suggestion {
        None => finding.message.clone(),
        Some(suggestion) => format!("{} (did you mean {suggestion:?}?)", finding.message),
    }
}

fn add<'l>(
    list: &'l mut Vec<FieldError>,
    node: &Node<'_>,
    reason: Reason,
    message: String,
) -> &'l mut FieldError {
    list.push_mut(FieldError::new(node.path(), reason, message))
}
