//! `data:` URLs, in which OpenAI's wire carries images and files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ir::Source;

/// Reads a URL: the bytes of a base64 `data:` URL (RFC 2397), or where to fetch.
/// None for a `data:` URL of another encoding, or no URL at all.
pub(crate) fn source(url: &str) -> Option<Source> {
    if let Some(rest) = url.strip_prefix("data:") {
        let (head, data) = rest.split_once(',')?;
        let media_type = head.strip_suffix(";base64")?;
        // Parameters as `;charset=…` mean nothing to providers.
        let media_type = media_type.split(';').next().unwrap_or_default();
        let media_type = if media_type.is_empty() {
            "text/plain"
        } else {
            media_type
        };
        return Some(Source::Base64 {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        });
    }
    let fetchable = url.starts_with("https://") || url.starts_with("http://");
    fetchable.then(|| Source::Url(url.to_owned()))
}

/// Writes bytes that are base64 already.
pub(crate) fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// The text in base64; none when it is none.
pub(crate) fn text(data: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// The base64 of a text.
pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_read_and_others_fetched() {
        let Some(Source::Base64 { media_type, data }) = source("data:image/png;base64,iVBO") else {
            panic!("no source");
        };
        assert_eq!((media_type.as_str(), data.as_str()), ("image/png", "iVBO"));
        assert!(matches!(source("https://x/y.png"), Some(Source::Url(_))));
        for bad in ["data:image/png,abc", "file:///etc/passwd", "x", ""] {
            assert!(source(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn text_is_decoded_and_garbage_is_not() {
        assert_eq!(text("aMOk").as_deref(), Some("hä"));
        assert_eq!(text("!"), None);
        assert_eq!(text("/w=="), None);
    }
}
