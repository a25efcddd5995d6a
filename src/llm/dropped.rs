//! What a translation could not carry: a value, never a silence.

use std::fmt;

use crate::codec::Names;
use crate::ir::{At, Field};
use crate::{ApiError, ErrorKind};

/// The path of a field in the client's request, in the client's own words:
/// `logit_bias`, `messages[2].content[0].image_url.detail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(String);

impl FieldPath {
    /// The path as text.
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

/// The fields that a target cannot carry. `Display` is the value of the
/// `x-agentkube-dropped` header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    fields: Vec<FieldPath>,
    stripped: Vec<FieldPath>,
}

impl Dropped {
    /// Longest header value: bytes. Behind it stands how many more there are.
    const HEADER_LIMIT: usize = 2048;

    /// Notes a field that the client wrote and could have left out.
    pub(crate) fn field(&mut self, names: &dyn Names, at: At, field: Field) {
        push(&mut self.fields, names.path(at, field));
    }

    /// Notes a top-level field that the IR has no room for.
    pub(crate) fn extra(&mut self, name: &str) {
        push(&mut self.fields, name.to_owned());
    }

    /// Notes what the target must not be given back (thoughts of another model,
    /// or without their proof). The client only replays what it was told, so this
    /// never refuses a request.
    pub(crate) fn stripped(&mut self, names: &dyn Names, at: At, field: Field) {
        push(&mut self.stripped, names.path(at, field));
    }

    /// True when everything was carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.stripped.is_empty()
    }

    /// All paths: what was lost, then what was stripped.
    pub fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        self.fields.iter().chain(&self.stripped)
    }

    /// How many there are, for metrics.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len() + self.stripped.len()
    }

    /// For `translation: strict`: the 400 that names what cannot be carried. None
    /// when nothing was lost that the client could leave out.
    #[must_use]
    pub fn refusal(&self) -> Option<ApiError> {
        let first = self.fields.first()?;
        let named = list(self.fields.iter(), Self::HEADER_LIMIT);
        let message = format!(
            "the upstream that serves this model cannot carry {named}; leave it out, or use a \
             gateway whose translation is lenient"
        );
        Some(ApiError::new(ErrorKind::InvalidRequest, message).param(first.0.clone()))
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(self.paths(), Self::HEADER_LIMIT))
    }
}

/// Names come from requests: only what a header can carry, each once.
fn push(paths: &mut Vec<FieldPath>, path: String) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    let path = if path.len() <= 256 && path.bytes().all(fits) {
        FieldPath(path)
    } else {
        FieldPath(String::from("(unprintable)"))
    };
    if !paths.contains(&path) {
        paths.push(path);
    }
}

fn list<'a>(paths: impl Iterator<Item = &'a FieldPath>, limit: usize) -> String {
    let mut out = String::new();
    let mut more = 0_usize;
    for path in paths {
        if more > 0 || out.len() + path.0.len() + 2 > limit {
            more += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&path.0);
    }
    if more > 0 {
        out.push_str(&format!(", (+{more})"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    #[test]
    fn the_header_lists_the_clients_own_names_once_each() {
        let mut dropped = Dropped::default();
        assert!(dropped.is_empty());
        assert_eq!(dropped.refusal(), None);
        dropped.extra("logit_bias");
        dropped.extra("logit_bias");
        dropped.extra("store");
        assert_eq!(dropped.to_string(), "logit_bias, store");
        assert_eq!(dropped.len(), 2);
    }

    #[test]
    fn strict_refuses_with_the_first_field_as_its_param() {
        let mut dropped = Dropped::default();
        dropped.extra("logit_bias");
        dropped.extra("n");
        let refusal = dropped.refusal().unwrap();
        assert_eq!(refusal.status(Dialect::OpenAiChat), 400);
        assert!(refusal.message().contains("logit_bias, n;"));
        let body = refusal.body(Dialect::OpenAiChat);
        assert!(memchr::memmem::find(&body, b"\"param\":\"logit_bias\"").is_some());
    }

    #[test]
    fn no_name_of_a_request_can_break_the_header() {
        let mut dropped = Dropped::default();
        dropped.extra("a\r\nset-cookie: x");
        dropped.extra(&"x".repeat(300));
        assert_eq!(dropped.to_string(), "(unprintable)");
        for n in 0..1000 {
            dropped.extra(&format!("field_{n}"));
        }
        let header = dropped.to_string();
        assert!(header.len() < 2100 && header.contains("(+"));
    }
}
