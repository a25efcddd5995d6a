//! From what a user may write to values that code can use, for the pieces that kinds share.

use std::time::Duration;

use agentkube_plan::{Breaker, ClientAuth, ObjectName, SecretEntry};
use kube_core::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use url::Url;

use super::{AuthMode, BreakerSpec, DurationText, IntOrText, Quantity, SecretRef};
use crate::Kind;
use crate::field::{FieldError, FieldPath, Reason};
use crate::schema::open_api_schema;

/// The findings of one parse: all of them, not the first.
#[derive(Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    pub(crate) fn push(&mut self, error: FieldError) {
        self.0.push(error);
    }

    pub(crate) fn extend(&mut self, errors: Vec<FieldError>) {
        self.0.extend(errors);
    }

    /// The value, or its finding is kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// The value, unless there are findings.
    pub(crate) fn unless_found<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}

/// Reads a typed object; a failure names the field.
pub(crate) fn read<T: DeserializeOwned>(kind: Kind, raw: &Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(raw).map_err(|error| {
        let field = spelled(open_api_schema(kind), error.path());
        FieldError::new(field, Reason::TypeInvalid, error.inner().to_string())
    })
}

/// A path of serde, spelled as Kubernetes does: it depends on the schema whether a step is a
/// field or the key of a map.
fn spelled(schema: &Value, path: &serde_path_to_error::Path) -> FieldPath {
    let mut schema = schema;
    let mut here = FieldPath::root();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                here = here.index(*index);
                schema = schema.get("items").unwrap_or(&Value::Null);
            }
            Segment::Map { key } => {
                let declared = schema.get("properties").and_then(|it| it.get(key));
                let entry = schema.get("additionalProperties");
                (here, schema) = match (declared, entry) {
                    (None, Some(entry)) => (here.key(key), entry),
                    (declared, _) => (here.child(key), declared.unwrap_or(&Value::Null)),
                };
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    here
}

/// Who an object is. An object without a namespace is in `default`, as for kubectl.
pub(crate) fn object_name(metadata: &ObjectMeta) -> ObjectName {
    let namespace = metadata.namespace.clone().filter(|it| !it.is_empty());
    ObjectName {
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

impl DurationText {
    /// The duration that is meant (Gateway API, GEP-2257).
    ///
    /// # Errors
    /// What is wrong with it, at this path.
    pub fn parse(&self, path: &FieldPath) -> Result<Duration, FieldError> {
        const FORM: &str = "write a duration longer than zero such as 300ms, 5s, 10m or 1h30m";
        let error = || FieldError::new(path.as_str(), Reason::Invalid, FORM);
        let mut rest = self.0.as_str();
        let mut total = Duration::ZERO;
        for _ in 0..4 {
            if rest.is_empty() {
                break;
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let (number, after) = rest.split_at(digits);
            if number.is_empty() || number.len() > 5 {
                return Err(error());
            }
            let number: u64 = number.parse().map_err(|_| error())?;
            let (unit, after) = unit(after).ok_or_else(error)?;
            total += Duration::from_millis(unit * number);
            rest = after;
        }
        if rest.is_empty() && !total.is_zero() {
            Ok(total)
        } else {
            Err(error())
        }
    }
}

/// The milliseconds of the unit that a text begins with, and the rest.
fn unit(text: &str) -> Option<(u64, &str)> {
    [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        .into_iter()
        .find_map(|(unit, millis)| Some((millis, text.strip_prefix(unit)?)))
}

impl Quantity {
    /// The whole number that is meant, rounded up as Kubernetes does.
    ///
    /// # Errors
    /// What is wrong with it, at this path.
    pub fn parse(&self, path: &FieldPath) -> Result<u64, FieldError> {
        let whole = match &self.0 {
            IntOrText::Int(number) => u64::try_from(*number).ok(),
            IntOrText::Text(text) => whole(text),
        };
        whole.ok_or_else(|| {
            let message = "write a quantity such as 64Mi, 500m or 2";
            FieldError::new(path.as_str(), Reason::Invalid, message)
        })
    }
}

/// Mantissa × 10^a × 2^b, in 128 bits; none when it does not fit 64.
fn whole(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{before}{after}");
    let mantissa: u128 = digits.parse().ok().filter(|it| *it < 1 << 80)?;
    let (ten, two) = scale(suffix)?;
    let ten = ten - i32::try_from(after.len()).ok()?;
    let scaled = mantissa.checked_mul(1_u128.checked_shl(two)?)?;
    let value = if ten >= 0 {
        scaled.checked_mul(10_u128.checked_pow(ten.unsigned_abs())?)?
    } else {
        // A divisor that does not fit is larger than whatever is divided.
        let divisor = 10_u128.checked_pow(ten.unsigned_abs()).unwrap_or(u128::MAX);
        scaled.div_ceil(divisor)
    };
    u64::try_from(value).ok()
}

/// The powers of ten and of two that a suffix stands for.
fn scale(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        exponent => {
            let exponent = exponent.strip_prefix(['e', 'E'])?;
            (exponent.parse().ok().filter(|it: &i32| it.abs() < 100)?, 0)
        }
    })
}

/// An http or https URL without user, password or fragment.
pub(crate) fn http_url(text: &str, path: &FieldPath) -> Result<Url, FieldError> {
    let error = |message: &str| FieldError::new(path.as_str(), Reason::Invalid, message);
    let url = Url::parse(text).map_err(|_| error("write an http:// or https:// URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(error("write an http:// or https:// URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("credentials belong into a Secret, not into a URL"));
    }
    if url.fragment().is_some() || text.contains(char::is_whitespace) {
        return Err(error("write the URL without fragment and white space"));
    }
    Ok(url)
}

impl BreakerSpec {
    pub(crate) fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<Breaker> {
        let window = errors.keep(self.window.parse(&path.child("window")));
        let cooldown = errors.keep(self.cooldown.parse(&path.child("cooldown")));
        Some(Breaker {
            failures: self.failures,
            window: window?,
            cooldown: cooldown?,
        })
    }
}

impl From<AuthMode> for ClientAuth {
    fn from(mode: AuthMode) -> Self {
        match mode {
            AuthMode::Apikey => Self::Apikey,
            AuthMode::None => Self::None,
            AuthMode::ServiceAccount => Self::ServiceAccount,
        }
    }
}

impl SecretRef {
    /// An entry of the Secret that it names.
    pub(crate) fn named(&self, key: &str) -> SecretEntry {
        SecretEntry {
            name: self.name.clone(),
            key: key.to_owned(),
        }
    }

    /// The entry that is meant, where one has to be named.
    pub(crate) fn entry(&self, path: &FieldPath) -> Result<SecretEntry, FieldError> {
        match &self.key {
            Some(key) => Ok(self.named(key)),
            None => {
                let message = "write the key: the entry of the Secret that holds the credential";
                Err(FieldError::new(
                    path.child("key"),
                    Reason::Required,
                    message,
                ))
            }
        }
    }
}

/// A list must have an item.
pub(crate) fn not_empty<T>(path: &FieldPath, list: &[T], errors: &mut Errors) {
    if list.is_empty() {
        let message = "write at least one";
        errors.push(FieldError::new(path.as_str(), Reason::Required, message));
    }
}

/// The names that occur more than once, each at its second place.
pub(crate) fn repeated<'a>(
    path: &FieldPath,
    names: impl Iterator<Item = &'a str>,
    errors: &mut Errors,
) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            let message = format!("{name} is used twice: give each its own name");
            let field = path.index(index).child("name");
            errors.push(FieldError::new(field, Reason::Duplicate, message));
        }
    }
}

#[cfg(test)]
mod tests;
