//! A borrowed look into a request body: the few fields that routing needs.
//!
//! The rest of the body is checked to be JSON and otherwise left alone, so
//! that it can pass byte by byte; the exact spans of the fields are kept so
//! that `rewrite` can splice.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::{ApiError, Dialect, ErrorKind, scan};

/// Longest model name that is accepted: bytes.
pub const MODEL_NAME_LIMIT: usize = 256;

/// What routing needs to know of a request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// `model`; none when absent, null or empty.
    pub model: Option<String>,
    /// `stream`: false when absent or null.
    pub stream: bool,
    /// `stream` is absent or null: the dialect decides.
    pub(crate) silent: bool,
    /// `n`, how many choices were asked for: 1 when absent or no number.
    pub choices: u32,
    pub(crate) spans: Spans,
}

/// Where things are in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    /// Just behind the opening brace.
    pub(crate) open: usize,
    /// True when the object has no members.
    pub(crate) empty: bool,
    /// The value of `model`, whatever it is.
    pub(crate) model: Option<Range<usize>>,
    pub(crate) stream_options: StreamOptions,
}

/// `stream_options`, as far as usage is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamOptions {
    Absent,
    /// Null: to be replaced as a whole.
    Null(Range<usize>),
    /// An object without `include_usage`.
    Without {
        open: usize,
        empty: bool,
    },
    /// `include_usage` is there, and not true.
    Declined(Range<usize>),
    /// `include_usage` is true.
    Asked,
}

/// A body that cannot be routed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// A field is there twice, or in another spelling: which one would the upstream
    /// believe?
    #[error("the body has the field `{field}` twice, or not in small letters")]
    Duplicate {
        /// The field.
        field: &'static str,
    },
    /// No JSON.
    #[error("the body is not valid JSON: {reason} at line {line} column {column}")]
    Malformed {
        /// What the parser expected; never a part of the body.
        reason: String,
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
    },
    /// A model name that nothing can have.
    #[error("the model name is {bytes} bytes long; at most {MODEL_NAME_LIMIT} are accepted")]
    ModelTooLong {
        /// Its length.
        bytes: usize,
    },
    /// JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field of another type.
    #[error("the field `{field}` must be {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl Peeked {
    /// Whether the body asks for a stream, in a dialect.
    #[must_use]
    pub fn streams(&self, dialect: Dialect) -> bool {
        self.stream || (self.silent && dialect.streams_unasked())
    }
}

impl PeekError {
    /// The 400 to answer with.
    #[must_use]
    pub fn to_error(&self) -> ApiError {
        let error = ApiError::new(ErrorKind::InvalidRequest, self.to_string());
        match self {
            Self::Duplicate { field } | Self::WrongType { field, .. } => error.param(*field),
            Self::ModelTooLong { .. } => error.param("model"),
            Self::Malformed { .. } | Self::NotAnObject => error,
        }
    }
}

/// Looks into a request body. Nesting of any depth is passed over without
/// recursion.
///
/// # Errors
/// When the body is no JSON object, or a field that decides about routing is
/// ambiguous or of another type.
pub fn peek(body: &[u8]) -> Result<Peeked, PeekError> {
    let fields = match scanned(body) {
        Some(fields) => fields,
        None => serde_json::from_slice(body).map_err(|error| malformed(&error))?,
    };
    if let Some(field) = fields.duplicate {
        return Err(PeekError::Duplicate { field });
    }
    let open = body
        .iter()
        .position(|byte| *byte == b'{')
        .map_or(0, |at| at + 1);
    Ok(Peeked {
        model: fields.model.map(model).transpose()?.flatten(),
        stream: fields
            .stream
            .map(|raw| flag("stream", raw))
            .transpose()?
            .unwrap_or_default(),
        silent: fields.stream.is_none_or(|raw| raw == "null"),
        choices: fields.n.and_then(|raw| raw.parse().ok()).unwrap_or(1),
        spans: Spans {
            open,
            empty: fields.empty,
            model: fields.model.map(|raw| span(body, raw)),
            stream_options: match fields.stream_options {
                Some(raw) => stream_options(body, raw)?,
                None => StreamOptions::Absent,
            },
        },
    })
}

/// The fields of a body as nearly everybody writes it.
fn scanned(body: &[u8]) -> Option<Fields<'_>> {
    let mut fields = Fields {
        empty: true,
        ..Fields::default()
    };
    scan::members(body, |key, value| {
        fields.empty = false;
        if key.contains(&b'\\') {
            return None;
        }
        let slot = match Key::of(std::str::from_utf8(key).ok()?) {
            Key::Known(known) => fields.slot(known),
            // Also for the other parser: it says what is wrong.
            Key::Alike(_) => return None,
            Key::Other => return Some(()),
        };
        let again = slot.replace(std::str::from_utf8(value).ok()?).is_some();
        (!again).then_some(())
    })?;
    Some(fields)
}

fn malformed(error: &serde_json::Error) -> PeekError {
    // Data errors quote the value they met; there is only one that the
    // visitor can cause.
    if error.classify() == Category::Data {
        return PeekError::NotAnObject;
    }
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let at = format!(" at line {line} column {column}");
    let reason = text.strip_suffix(at.as_str()).unwrap_or(&text).to_owned();
    PeekError::Malformed {
        reason,
        line,
        column,
    }
}

fn model(raw: &str) -> Result<Option<String>, PeekError> {
    if raw == "null" {
        return Ok(None);
    }
    let plain = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    let name = match plain.filter(|name| !name.contains('\\')) {
        Some(plain) => Cow::Borrowed(plain),
        None => {
            let text = serde_json::from_str::<Text<'_>>(raw);
            text.map_err(|_| PeekError::WrongType {
                field: "model",
                expected: "a string",
            })?
            .0
        }
    };
    if name.len() > MODEL_NAME_LIMIT {
        return Err(PeekError::ModelTooLong { bytes: name.len() });
    }
    Ok(Some(name.into_owned()).filter(|name| !name.is_empty()))
}

fn flag(field: &'static str, raw: &str) -> Result<bool, PeekError> {
    match raw {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(PeekError::WrongType {
            field,
            expected: "a boolean",
        }),
    }
}

fn stream_options(body: &[u8], raw: &str) -> Result<StreamOptions, PeekError> {
    let whole = span(body, raw);
    if raw == "null" {
        return Ok(StreamOptions::Null(whole));
    }
    let wrong = PeekError::WrongType {
        field: "stream_options",
        expected: "an object",
    };
    let options: Fields<'_> = serde_json::from_str(raw).map_err(|_| wrong)?;
    if options.duplicate == Some("include_usage") {
        return Err(PeekError::Duplicate {
            field: "stream_options.include_usage",
        });
    }
    let Some(include) = options.include_usage else {
        return Ok(StreamOptions::Without {
            open: whole.start + 1,
            empty: options.empty,
        });
    };
    if flag("stream_options.include_usage", include)? {
        Ok(StreamOptions::Asked)
    } else {
        Ok(StreamOptions::Declined(span(body, include)))
    }
}

/// Where `part`, a slice of `body`, lies in it.
fn span(body: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start + part.len()
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of one object that matter, as they are written.
#[derive(Default)]
struct Fields<'a> {
    model: Option<&'a str>,
    stream: Option<&'a str>,
    stream_options: Option<&'a str>,
    include_usage: Option<&'a str>,
    n: Option<&'a str>,
    empty: bool,
    duplicate: Option<&'static str>,
}

impl<'a> Fields<'a> {
    fn slot(&mut self, known: Known) -> &mut Option<&'a str> {
        match known {
            Known::Model => &mut self.model,
            Known::Stream => &mut self.stream,
            Known::StreamOptions => &mut self.stream_options,
            Known::IncludeUsage => &mut self.include_usage,
            Known::N => &mut self.n,
        }
    }
}

/// The key of a member.
enum Key {
    Known(Known),
    /// Not spelled as one of those, and some servers would still read it so: Go's
    /// `encoding/json` takes keys in any case, and the last one wins.
    Alike(&'static str),
    Other,
}

#[derive(Clone, Copy)]
enum Known {
    Model,
    Stream,
    StreamOptions,
    IncludeUsage,
    N,
}

impl Known {
    const ALL: [Self; 5] = [
        Self::Model,
        Self::Stream,
        Self::StreamOptions,
        Self::IncludeUsage,
        Self::N,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::IncludeUsage => "include_usage",
            Self::N => "n",
        }
    }
}

impl Key {
    fn of(text: &str) -> Self {
        let same = |known: &Known| known.name() == text;
        if let Some(known) = Known::ALL.into_iter().find(same) {
            return Self::Known(known);
        }
        let alike = Known::ALL
            .into_iter()
            .find(|known| folds_to(text, known.name()));
        alike.map_or(Self::Other, |known| Self::Alike(known.name()))
    }
}

/// As `encoding/json` folds keys: besides ASCII, a long s and the sign of kelvin.
fn folds_to(text: &str, name: &str) -> bool {
    let folded = text.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.eq(name.chars())
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key::of(text))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields {
            empty: true,
            ..Fields::default()
        };
        while let Some(key) = map.next_key::<Key>()? {
            fields.empty = false;
            let known = match key {
                Key::Known(known) => known,
                Key::Alike(_) | Key::Other => {
                    if let Key::Alike(name) = key {
                        fields.duplicate = Some(name);
                    }
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value = map.next_value::<&RawValue>()?.get();
            if fields.slot(known).replace(value).is_some() {
                fields.duplicate = Some(known.name());
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests;
