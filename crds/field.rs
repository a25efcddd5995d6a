//! Findings about one field of an object, shared by admission, the operator and `lint`.

use std::fmt;

/// A path into an object, spelled as Kubernetes' `field.Path` prints it:
/// `spec.upstreams[0].endpoint`, `spec.prices[gpt-5.1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(String);

impl FieldPath {
    /// The object itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// `spec`.
    #[must_use]
    pub fn spec() -> Self {
        Self("spec".to_owned())
    }

    /// `metadata`.
    #[must_use]
    pub fn metadata() -> Self {
        Self("metadata".to_owned())
    }

    /// A declared field of this object.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// An item of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// An entry of this map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The path as it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.0
    }
}

/// What is wrong with one field and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldError {
    /// The field, as [`FieldPath`] prints it.
    pub field: String,
    /// The class of the finding.
    pub reason: Reason,
    /// One sentence for the person who wrote the object.
    pub message: String,
    /// What they probably meant, to be put in place of the value.
    pub suggestion: Option<String>,
}

impl FieldError {
    /// A finding without a suggestion.
    pub fn new(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason,
            message: message.into(),
            suggestion: None,
        }
    }

    /// Adds what the user probably meant.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)?;
        } else {
            write!(f, "{}: {}", self.field, self.message)?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean {suggestion:?}?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FieldError {}

/// The class of a finding: the causes of a Kubernetes `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Two entries that must differ are equal.
    Duplicate,
    /// The value is legal, but not here.
    Forbidden,
    /// The value has the wrong form.
    Invalid,
    /// What the value refers to does not exist.
    NotFound,
    /// The value is none of those that are possible.
    NotSupported,
    /// A value is missing.
    Required,
    /// The value is too long.
    TooLong,
    /// The list or map has too many entries.
    TooMany,
    /// The value has the wrong type.
    TypeInvalid,
}

impl Reason {
    /// The `reason` of a `StatusCause` (apimachinery, `field.ErrorType`).
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::Invalid => "FieldValueInvalid",
            Self::NotFound => "FieldValueNotFound",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Required => "FieldValueRequired",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// The class that a cause names.
    #[must_use]
    pub fn from_cause(cause: &str) -> Option<Self> {
        [
            Self::Duplicate,
            Self::Forbidden,
            Self::Invalid,
            Self::NotFound,
            Self::NotSupported,
            Self::Required,
            Self::TooLong,
            Self::TooMany,
            Self::TypeInvalid,
        ]
        .into_iter()
        .find(|reason| reason.cause() == cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_as_kubernetes_does() {
        let spec = FieldPath::spec();
        let upstream = spec.child("upstreams").index(0).child("endpoint");
        assert_eq!(upstream.as_str(), "spec.upstreams[0].endpoint");
        assert_eq!(
            spec.child("prices").key("gpt-5.1").as_str(),
            "spec.prices[gpt-5.1]"
        );
        assert_eq!(FieldPath::root().child("kind").as_str(), "kind");
    }

    #[test]
    fn every_reason_survives_the_round_trip() {
        assert_eq!(
            Reason::from_cause(Reason::TooMany.cause()),
            Some(Reason::TooMany)
        );
        assert_eq!(Reason::from_cause("InternalError"), None);
    }
}
