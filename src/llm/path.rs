//! A model's name as one segment of a path: it comes from clients, and must not
//! lead to another path of the provider.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters (RFC 3986, 2.3), as providers' own SDKs do.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name that can be no segment of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's name has characters that a path cannot carry")]
pub struct InvalidSegment;

/// The name, percent-encoded as one segment.
///
/// # Errors
/// `?`, `#`, `\`, control characters and dot segments are refused, also between
/// slashes: proxies on the way may decode before they route.
pub(crate) fn segment(model: &str) -> Result<String, InvalidSegment> {
    let forbidden = |c: char| c.is_control() || matches!(c, '?' | '#' | '\\');
    let dots = |part: &str| part.is_empty() || part == "." || part == "..";
    if model.contains(forbidden) || model.split('/').any(dots) {
        return Err(InvalidSegment);
    }
    Ok(utf8_percent_encode(model, RESERVED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_segment() {
        assert_eq!(segment("claude-opus-4-7"), Ok("claude-opus-4-7".into()));
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.m-v1:0";
        let encoded = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m-v1%3A0";
        assert_eq!(segment(arn), Ok(encoded.into()));
    }

    #[test]
    fn no_name_leaves_its_place() {
        for name in ["..", "a/../b", "a//b", "m?x=1", "m#f", "a\\b", "a\nb", ""] {
            assert_eq!(segment(name), Err(InvalidSegment), "{name}");
        }
    }
}
