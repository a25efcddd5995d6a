//! Plain scalars as kubectl resolves them: YAML 1.1, as go-yaml v2 reads it.

use serde_json::{Number, Value};

/// A scalar, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
}

impl Scalar {
    /// The scalar as a JSON value.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(value) => Value::Number(value),
            Self::Text(value) => Value::String(value),
        }
    }

    /// The scalar as the key of a JSON object.
    pub(super) fn as_key(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// Resolves a scalar. A quoted one is text whatever it looks like.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Scalar, String> {
    let untagged = || {
        if plain {
            implicit(text)
        } else {
            Scalar::Text(text.to_owned())
        }
    };
    match tag {
        None => Ok(untagged()),
        Some("str") => Ok(Scalar::Text(text.to_owned())),
        Some("binary") => Err("!!binary is not supported: use a Secret's data".to_owned()),
        Some(tag) => {
            let found = implicit(text);
            let fits = match tag {
                "int" | "float" => matches!(found, Scalar::Number(_)),
                "bool" => matches!(found, Scalar::Bool(_)),
                "null" => matches!(found, Scalar::Null),
                _ => return Ok(untagged()),
            };
            if fits {
                Ok(found)
            } else {
                Err(format!("{text:?} is no !!{tag}"))
            }
        }
    }
}

fn implicit(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        _ => number(text).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    let digits = text.replace('_', "");
    let (negative, unsigned) = match digits.strip_prefix(['-', '+']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits.as_str()),
    };
    integer(unsigned, negative).or_else(|| float(unsigned, negative))
}

/// Decimal, `0x`, `0b`, `0o`, and the YAML 1.1 octal with a leading zero, so
/// that `0777` is 511 here as it is for kubectl.
fn integer(unsigned: &str, negative: bool) -> Option<Number> {
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x" | "0X") => (16, &unsigned[2..]),
        Some("0b" | "0B") => (2, &unsigned[2..]),
        Some("0o" | "0O") => (8, &unsigned[2..]),
        _ if unsigned.len() > 1 && unsigned.starts_with('0') => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        i64::try_from(-i128::from(magnitude)).ok().map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

fn float(unsigned: &str, negative: bool) -> Option<Number> {
    let bytes = unsigned.as_bytes();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    let all_legal = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'0'..=b'9' | b'.' => true,
        b'e' | b'E' => at > 0,
        b'+' | b'-' => at > 0 && matches!(bytes[at - 1], b'e' | b'E'),
        _ => false,
    });
    if !has_digit || !all_legal {
        return None;
    }
    let value: f64 = unsigned.parse().ok()?;
    Number::from_f64(if negative { -value } else { value })
}
