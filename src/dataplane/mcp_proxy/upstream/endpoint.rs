//! Where an upstream is posted to.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Uri;

/// The path that an endpoint without one is also tried at.
const USUAL_PATH: &str = "/mcp";

/// The path that a stream of the legacy transport is also tried at.
const USUAL_STREAM: &str = "/sse";

/// The URL as written and, when it has no path, the usual one.
#[derive(Debug)]
pub(super) struct Endpoint {
    written: Uri,
    usual: Option<Uri>,
    use_usual: AtomicBool,
}

impl Endpoint {
    pub(super) fn new(written: Uri) -> Self {
        let pathless = written.path().is_empty() || written.path() == "/";
        let usual = (pathless && written.query().is_none())
            .then(|| at(&written, USUAL_PATH))
            .flatten();
        Self {
            written,
            usual,
            use_usual: AtomicBool::new(false),
        }
    }

    /// Where to post.
    pub(super) fn uri(&self) -> &Uri {
        match &self.usual {
            Some(usual) if self.use_usual.load(Ordering::Relaxed) => usual,
            _ => &self.written,
        }
    }

    /// Where a stream of the legacy transport may be.
    pub(super) fn streams(&self) -> Vec<Uri> {
        let usual = self.usual.as_ref();
        let usual = usual.and_then(|_| at(&self.written, USUAL_STREAM));
        std::iter::once(self.written.clone()).chain(usual).collect()
    }

    /// The other place, when there is one.
    pub(super) fn switch(&self) -> bool {
        self.usual.is_some() && {
            self.use_usual.fetch_xor(true, Ordering::Relaxed);
            true
        }
    }
}

fn at(written: &Uri, path: &'static str) -> Option<Uri> {
    let mut parts = written.clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static(path));
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_without_a_path_has_another_place() {
        let endpoint = Endpoint::new("https://mcp.example.com".parse().unwrap());
        assert_eq!(endpoint.uri().to_string(), "https://mcp.example.com/");
        assert!(endpoint.switch());
        assert_eq!(endpoint.uri().to_string(), "https://mcp.example.com/mcp");
        assert!(!Endpoint::new("http://a/v1/mcp/".parse().unwrap()).switch());
    }
}
