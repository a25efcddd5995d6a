//! Which headers pass, in both directions.

use http::header::{ACCEPT_ENCODING, CONNECTION, HeaderMap, HeaderName, HeaderValue};

static IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// For what is added on the way, so that a map need not grow for it.
const ROOM: usize = 5;

/// RFC 9110, 7.6.1: they are about one connection.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What a client proves itself to us with, or says about itself and its network,
/// or what we say ourselves (AWS's signatures are in `x-amz-*`). An account of the client's is none of ours.
fn is_clients_own(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "x-goog-user-project"
            | "openai-organization"
            | "openai-project"
            | "accept-encoding"
            | "cookie"
            | "content-length"
            | "expect"
            | "forwarded"
            | "host"
            | "origin"
            | "referer"
            | "via"
    ) || is_prefixed(name, &["x-forwarded-", "x-real-", "x-agentkube-", "x-amz-"])
}

/// What a provider says about our account, its cookies and its own connection.
fn is_providers_own(name: &str) -> bool {
    matches!(
        name,
        "alt-svc"
            | "content-length"
            | "date"
            | "server"
            | "set-cookie"
            | "strict-transport-security"
            | "anthropic-organization-id"
            | "openai-organization"
            | "openai-project"
    ) || is_prefixed(name, &["x-agentkube-"])
}

fn is_prefixed(name: &str, prefixes: &[&str]) -> bool {
    name.starts_with("x-") && prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// A client's headers, of which only what an upstream may see can be read.
pub(super) struct ClientHeaders(HeaderMap);

impl ClientHeaders {
    pub(super) fn new(headers: HeaderMap) -> Self {
        Self(headers)
    }

    /// What its upstream may see, with room for what is added.
    pub(super) fn passing(&self) -> HeaderMap {
        let named = named_by_connection(&self.0);
        let mut passing = HeaderMap::with_capacity(self.0.keys_len() + ROOM);
        for (name, value) in &self.0 {
            if passes(name, &named, is_clients_own) {
                passing.append(name.clone(), value.clone());
            }
        }
        // A compressed answer could not be read in passing.
        passing.insert(ACCEPT_ENCODING, IDENTITY.clone());
        passing
    }

    /// One of those.
    pub(super) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let value = self.0.get(name)?;
        passes(name, &named_by_connection(&self.0), is_clients_own).then_some(value)
    }
}

/// Of an upstream's headers, what a client may see. Few are left out, and yet to add
/// the others to a new map costs less than to take those out.
pub(super) fn to_client(headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    let mut left = HeaderMap::with_capacity(headers.keys_len() + ROOM);
    let mut passing = None;
    for (name, value) in headers {
        // The values behind the first one of a name come without it.
        if let Some(name) = name {
            passing = passes(&name, &named, is_providers_own).then_some(name);
            if let Some(name) = &passing {
                left.insert(name.clone(), value);
            }
        } else if let Some(name) = &passing {
            left.append(name.clone(), value);
        }
    }
    left
}

/// Not what is about one connection, nor what else is not for the next hop.
fn passes(name: &HeaderName, named: &[HeaderName], is_own: impl Fn(&str) -> bool) -> bool {
    let text = name.as_str();
    !is_hop_by_hop(text) && !is_own(text) && !named.contains(name)
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn client_auth_and_hop_by_hop_headers_never_reach_an_upstream() {
        let headers = mk_headers(&[
            ("authorization", "Bearer a"),
            ("x-api-key", "a"),
            ("api-key", "a"),
            ("x-goog-api-key", "a"),
            ("x-goog-user-project", "a"),
            ("cookie", "a"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "a"),
            ("keep-alive", "a"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "a"),
            ("x-forwarded-host", "a"),
            ("x-agentkube-model", "a"),
            ("host", "a"),
            ("openai-organization", "a"),
        ]);
        let headers = ClientHeaders::new(headers).passing();
        assert_eq!(names(&headers), ["accept-encoding"]);
        assert_eq!(headers[ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn what_the_dialect_says_in_headers_passes() {
        let headers = mk_headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
            ("content-type", "application/json"),
            ("user-agent", "sdk"),
            ("x-stainless-lang", "python"),
            ("accept-encoding", "gzip"),
        ]);
        let headers = ClientHeaders::new(headers).passing();
        assert_eq!(headers["anthropic-beta"], "a,b");
        assert_eq!(headers["anthropic-version"], "2023-06-01");
        assert_eq!(headers["x-stainless-lang"], "python");
        assert_eq!(headers["accept-encoding"], "identity");
    }

    #[test]
    fn a_providers_cookies_and_account_never_reach_a_client() {
        let headers = mk_headers(&[
            ("set-cookie", "__cf_bm=1"),
            ("set-cookie", "other=1"),
            ("openai-organization", "us"),
            ("x-agentkube-upstream", "forged"),
            ("x-request-id", "req_1"),
            ("content-length", "3"),
        ]);
        let headers = to_client(headers);
        assert_eq!(names(&headers), ["x-request-id"]);
    }

    #[test]
    fn all_values_of_a_name_pass_or_none_does() {
        let headers = mk_headers(&[
            ("vary", "a"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
            ("vary", "b"),
        ]);
        let headers = to_client(headers);
        assert_eq!(
            headers.get_all("vary").iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(headers.len(), 2);
    }
}
