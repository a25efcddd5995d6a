//! Protection against DNS rebinding: which `Host` and `Origin` may call
//! (2025-11-25 and 2026-07-28, Streamable HTTP, "Security Warning").

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, Request, Uri};

/// The names under which clients may call.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard(Vec<String>);

/// A header that names something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// `Host`.
    #[error("the Host header is none of this server's names; add it to spec.hosts")]
    Host,
    /// `Origin`.
    #[error("the Origin header is none of this server's names; add it to spec.hosts")]
    Origin,
}

impl Guard {
    /// These names pass, loopback always does.
    pub(super) fn new(hosts: &[String]) -> Self {
        Self(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// Checks both headers.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Foreign> {
        let authority = request.uri().authority().cloned();
        let mut hosts = request.headers().get_all(HOST).iter();
        let header = hosts.next().map(authority_of);
        if hosts.next().is_some() {
            return Err(Foreign::Host);
        }
        let named = match (header, authority) {
            (Some(None), _) => return Err(Foreign::Host),
            (Some(header), _) => header,
            (None, authority) => authority,
        };
        if !named.is_some_and(|host| self.is_ours(host.host()) || address(host.host()).is_some()) {
            return Err(Foreign::Host);
        }
        let ours = |origin: &HeaderValue| {
            let origin = origin
                .to_str()
                .ok()
                .and_then(|text| text.parse::<Uri>().ok());
            origin.is_some_and(|uri| uri.host().is_some_and(|host| self.is_ours(host)))
        };
        if request.headers().get_all(ORIGIN).iter().all(ours) {
            Ok(())
        } else {
            Err(Foreign::Origin)
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host == "localhost"
            || address(&host).is_some_and(|address| address.is_loopback())
            || self.0.contains(&host)
    }
}

fn authority_of(value: &HeaderValue) -> Option<Authority> {
    value.to_str().ok()?.parse().ok()
}

/// A literal address. As a Host it is never the work of DNS rebinding, which
/// needs a name; a page can come from one, so as an Origin it counts for nothing.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &str, origin: Option<&str>) -> Result<(), Foreign> {
        let guard = Guard::new(&["Tools.team-a.svc".to_owned()]);
        let mut request = Request::post("/mcp").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        guard.check(&request.body(()).unwrap())
    }

    #[test]
    fn our_names_and_loopback_pass_with_any_port() {
        for host in [
            "tools.team-a.svc",
            "TOOLS.team-a.svc:8080",
            "localhost:1",
            "127.0.0.1",
            "[::1]:8080",
            "10.0.0.7:8080",
        ] {
            assert_eq!(verdict(host, None), Ok(()), "{host}");
        }
        assert_eq!(verdict("localhost", Some("http://localhost:3000")), Ok(()));
        assert_eq!(
            verdict("localhost", Some("https://tools.team-a.svc")),
            Ok(())
        );
    }

    #[test]
    fn foreign_names_are_refused() {
        assert_eq!(verdict("evil.example", None), Err(Foreign::Host));
        assert_eq!(verdict("", None), Err(Foreign::Host));
        for origin in [
            "http://evil.example",
            "null",
            "http://10.0.0.7",
            "http://localhost.evil.example",
        ] {
            assert_eq!(
                verdict("localhost", Some(origin)),
                Err(Foreign::Origin),
                "{origin}"
            );
        }
    }

    #[test]
    fn a_request_without_a_host_is_refused() {
        let guard = Guard::default();
        assert_eq!(
            guard.check(&Request::post("/mcp").body(()).unwrap()),
            Err(Foreign::Host)
        );
        let two = Request::post("/mcp")
            .header(HOST, "localhost")
            .header(HOST, "evil.example");
        assert_eq!(guard.check(&two.body(()).unwrap()), Err(Foreign::Host));
    }
}
