//! What the API server refuses before any webhook is asked: the object's kind,
//! version and name.

use agentkube_crds::{API_VERSION, FieldError, Kind, Reason, nearest};

use crate::cli::manifest::Manifest;

/// Checks an object of our group.
pub(super) fn check(manifest: &Manifest, kind: Option<Kind>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if manifest.api_version() != API_VERSION {
        let message = format!("unknown version {:?}", manifest.api_version());
        let error = FieldError::new("apiVersion", Reason::NotSupported, message);
        errors.push(error.suggest(API_VERSION));
    } else if kind.is_none() {
        errors.push(unknown_kind(manifest.kind()));
    }
    if manifest.name().is_empty() {
        let message = "an object needs a name";
        errors.push(FieldError::new("metadata.name", Reason::Required, message));
    }
    errors
}

fn unknown_kind(kind: &str) -> FieldError {
    let known = Kind::ALL.map(Kind::as_str);
    let message = format!("unknown kind {kind:?}; there are {}", known.join(", "));
    let error = FieldError::new("kind", Reason::NotSupported, message);
    let same = known
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(kind));
    match same.or_else(|| nearest(kind, known)) {
        Some(near) => error.suggest(near),
        None => error,
    }
}
