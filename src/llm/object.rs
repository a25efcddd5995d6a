//! Objects of a request: read in one pass, members that nobody knows kept, errors
//! that name the path.
//!
//! serde's own `flatten` would buffer every member, and raw values do not survive
//! that; hence a macro.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::{ApiError, ErrorKind};

/// Text, borrowed where JSON has no escapes in it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// The name of a member. Not a derived newtype: of those, `serde_path_to_error`
/// cannot see the text.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// Members that an object has no field for; those that are null are left out.
pub(crate) type Rest<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// A string, or a list of parts: what most wires take as content.
#[derive(Debug)]
pub(crate) enum OneOrMany<'a, T> {
    One(Text<'a>),
    Many(Vec<T>),
}

/// The flag: whether objects are passed over.
struct Either<'a, T>(PhantomData<(&'a (), T)>, bool);

impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Either<'a, T> {
    type Value = Option<OneOrMany<'a, T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(OneOrMany::One(Text(Cow::Borrowed(text)))))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(OneOrMany::One(Text(Cow::Owned(text.to_owned())))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(Some(OneOrMany::Many(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if !self.1 {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(Either(PhantomData, false))?;
        read.ok_or_else(|| de::Error::custom("is not valid"))
    }
}

/// The same, where objects stand in blocks that no one reads: `None`.
#[derive(Debug)]
pub(crate) struct OneOrManyOrOther<'a, T>(pub(crate) Option<OneOrMany<'a, T>>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneOrManyOrOther<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(Either(PhantomData, true))
            .map(Self)
    }
}

/// Declares an object of a wire: every member optional (null is absent), none of
/// them twice, the others in `rest`. Names may have other spellings.
macro_rules! object {
    ($(#[$meta:meta])* $name:ident<$lt:lifetime> { $($key:literal $(| $alias:literal)* => $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<$lt> {
            $(pub(crate) $field: Option<$type>,)*
            pub(crate) rest: $crate::object::Rest<$lt>,
        }

        impl<$lt> ::serde::Deserialize<$lt> for $name<$lt> {
            fn deserialize<D: ::serde::Deserializer<$lt>>(from: D) -> Result<Self, D::Error> {
                struct Members;
                impl<$lt> ::serde::de::Visitor<$lt> for Members {
                    type Value = $name<$lt>;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: ::serde::de::MapAccess<$lt>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut found = $name::default();
                        while let Some(key) = map.next_key::<$crate::object::Key<$lt>>()? {
                            match key.0.as_ref() {
                                $($key $(| $alias)* => {
                                    if found.$field.is_some() {
                                        return Err(<A::Error as ::serde::de::Error>::duplicate_field($key));
                                    }
                                    found.$field = map.next_value()?;
                                })*
                                _ => {
                                    let raw: &$lt ::serde_json::value::RawValue = map.next_value()?;
                                    if raw.get() != "null" {
                                        found.rest.push((key.0, raw));
                                    }
                                }
                            }
                        }
                        Ok(found)
                    }
                }
                from.deserialize_map(Members)
            }
        }
    };
}
pub(crate) use object;

/// Reads a body.
///
/// # Errors
/// A 400 that names the path of what is wrong and what it must be, and quotes
/// nothing of it.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        if error.classify() != Category::Data {
            return ApiError::new(ErrorKind::InvalidRequest, "the body is not valid JSON");
        }
        // Once more, slowly, to find out where.
        let mut again = serde_json::Deserializer::from_slice(body);
        match serde_path_to_error::deserialize::<_, T>(&mut again) {
            Ok(_) => invalid("", "is not valid"),
            Err(error) => invalid(&path(error.path()), &reason(&error.inner().to_string())),
        }
    })
}

/// Reads a raw value that stands at `path`.
///
/// # Errors
/// As `read`, with the path in front.
pub(crate) fn read_at<'a, T: Deserialize<'a>>(raw: &'a RawValue, at: &str) -> Result<T, ApiError> {
    serde_json::from_str(raw.get()).map_err(|_| {
        let mut again = serde_json::Deserializer::from_str(raw.get());
        match serde_path_to_error::deserialize::<_, T>(&mut again) {
            Ok(_) => invalid(at, "is not valid"),
            Err(error) => {
                let inner = path(error.path());
                let joined = match inner.as_str() {
                    "" => at.to_owned(),
                    inner if inner.starts_with('[') => format!("{at}{inner}"),
                    inner => format!("{at}.{inner}"),
                };
                invalid(&joined, &reason(&error.inner().to_string()))
            }
        }
    })
}

/// The 400 for the field at `path`: "`path` {what}".
pub(crate) fn invalid(path: &str, what: &str) -> ApiError {
    if path.is_empty() {
        return ApiError::new(ErrorKind::InvalidRequest, format!("the body {what}"));
    }
    ApiError::new(ErrorKind::InvalidRequest, format!("`{path}` {what}")).param(path.to_owned())
}

/// The 400 for a field that is missing.
pub(crate) fn missing(path: &str) -> ApiError {
    invalid(path, "is required")
}

fn path(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}

/// What serde expected. The rest of its message may quote the value.
fn reason(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.starts_with("duplicate field") {
        return String::from("is there twice");
    }
    match message.rsplit_once(", expected ") {
        Some((_, "u32" | "u64")) => String::from("must be a whole number"),
        Some((_, "f64" | "a JSON number")) => String::from("must be a number"),
        Some((_, "a sequence")) => String::from("must be a list"),
        Some((_, expected)) if expected.len() <= 64 => format!("must be {expected}"),
        _ => String::from("is not valid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        /// A sample.
        Sample<'a> {
            "text" => text: Text<'a>,
            "n" => n: u32,
            "parts" => parts: OneOrMany<'a, Sample<'a>>,
        }
    }

    fn refused(body: &str) -> String {
        read::<Sample<'_>>(body.as_bytes())
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn unknown_members_are_kept_raw_and_nulls_are_absent() {
        let found: Sample<'_> = read(br#"{"text":null,"x":{"y":[1, 2]},"z":null,"n":1}"#).unwrap();
        assert_eq!(found.text, None);
        assert_eq!(found.n, Some(1));
        assert_eq!(found.rest.len(), 1);
        assert_eq!(found.rest[0].1.get(), r#"{"y":[1, 2]}"#);
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path_and_never_quoted() {
        let deep = r#"{"parts":[{"text":"ok"},{"n":"my, expected secret"}]}"#;
        assert_eq!(refused(deep), "`parts[1].n` must be a whole number");
        assert_eq!(refused(r#"{"n":-1}"#), "`n` must be a whole number");
        assert_eq!(
            refused(r#"{"parts":7}"#),
            "`parts` must be a string or a list"
        );
        assert_eq!(refused("[]"), "the body must be an object");
        assert_eq!(refused("{"), "the body is not valid JSON");
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        assert!(refused(r#"{"n":1,"n":2}"#).ends_with("is there twice"));
    }
}
