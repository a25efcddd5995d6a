//! Where the messages of a stream are posted.

use http::Uri;
use url::Url;

use super::UpstreamError;

/// The URL that an `endpoint` event names, seen from that of the stream.
///
/// # Errors
/// When it is none, or leads to another origin: our credential and our clients'
/// words would go there.
pub(super) fn of(stream: &Uri, named: &str) -> Result<Uri, UpstreamError> {
    let unusable = || UpstreamError::Garbled("its endpoint event names no URL".to_owned());
    let base = Url::parse(&stream.to_string()).map_err(|_| unusable())?;
    let mut url = base.join(named.trim()).map_err(|_| unusable())?;
    if url.origin() != base.origin() {
        return Err(UpstreamError::OtherOrigin);
    }
    // Neither is part of a request.
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable());
    }
    url.as_str().parse().map_err(|_| unusable())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted_to(named: &str) -> Result<String, UpstreamError> {
        let stream = "https://mcp.example.com/v1/sse?a=b".parse().unwrap();
        of(&stream, named).map(|uri| uri.to_string())
    }

    #[test]
    fn every_form_of_a_reference_is_understood() {
        for (named, url) in [
            (
                "/messages?sessionId=1",
                "https://mcp.example.com/messages?sessionId=1",
            ),
            (
                "messages/?session_id=1",
                "https://mcp.example.com/v1/messages/?session_id=1",
            ),
            ("?session=1", "https://mcp.example.com/v1/sse?session=1"),
            (
                "https://mcp.example.com:443/m#x",
                "https://mcp.example.com/m",
            ),
            ("//mcp.example.com/m", "https://mcp.example.com/m"),
        ] {
            assert_eq!(posted_to(named).as_deref(), Ok(url), "{named}");
        }
    }

    #[test]
    fn another_origin_is_refused_in_every_spelling() {
        for named in [
            "http://mcp.example.com/m",
            "https://mcp.example.com:8443/m",
            "https://evil.example/m",
            "//evil.example/m",
            r"\\evil.example/m",
            "https://mcp.example.com@evil.example/m",
            "file:///etc/passwd",
        ] {
            assert_eq!(posted_to(named), Err(UpstreamError::OtherOrigin), "{named}");
        }
        let user = posted_to("https://user:word@mcp.example.com/m");
        assert!(matches!(user, Err(UpstreamError::Garbled(_))), "{user:?}");
    }
}
