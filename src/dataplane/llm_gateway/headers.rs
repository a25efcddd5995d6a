//! Which headers pass, in both directions.

use http::header::{
    ACCEPT_ENCODING, ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, DATE, EXPECT,
    FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, REFERER, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// RFC 9110, 7.6.1: they are about one connection.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a client proves itself to us with, or says about itself and its network,
/// or what we say ourselves.
static CLIENTS_OWN: [HeaderName; 14] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    // An account of the client's is none of ours.
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    COOKIE,
    CONTENT_LENGTH,
    EXPECT,
    FORWARDED,
    HOST,
    ORIGIN,
    REFERER,
    VIA,
];

/// What a provider says about our account, its cookies and its own connection.
static PROVIDERS_OWN: [HeaderName; 9] = [
    ALT_SVC,
    CONTENT_LENGTH,
    DATE,
    SERVER,
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    HeaderName::from_static("anthropic-organization-id"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

static IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Leaves of a client's headers what its upstream may see.
pub(super) fn to_upstream(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in &CLIENTS_OWN {
        headers.remove(name);
    }
    strip_prefixed(headers, &["x-forwarded-", "x-real-", "x-agentkube-"]);
    // A compressed answer could not be read in passing.
    headers.insert(ACCEPT_ENCODING, IDENTITY.clone());
}

/// Leaves of an upstream's headers what a client may see.
pub(super) fn to_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in &PROVIDERS_OWN {
        headers.remove(name);
    }
    strip_prefixed(headers, &["x-agentkube-"]);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
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

fn strip_prefixed(headers: &mut HeaderMap, prefixes: &[&str]) {
    let marked = |name: &&HeaderName| prefixes.iter().any(|p| name.as_str().starts_with(p));
    while let Some(name) = headers.keys().find(marked).cloned() {
        headers.remove(name);
    }
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
        let mut headers = mk_headers(&[
            ("authorization", "Bearer a"),
            ("x-api-key", "a"),
            ("api-key", "a"),
            ("x-goog-api-key", "a"),
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
        to_upstream(&mut headers);
        assert_eq!(names(&headers), ["accept-encoding"]);
        assert_eq!(headers[ACCEPT_ENCODING], "identity");
    }

    #[test]
    fn what_the_dialect_says_in_headers_passes() {
        let mut headers = mk_headers(&[
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
            ("content-type", "application/json"),
            ("user-agent", "sdk"),
            ("x-stainless-lang", "python"),
            ("accept-encoding", "gzip"),
        ]);
        to_upstream(&mut headers);
        assert_eq!(headers["anthropic-beta"], "a,b");
        assert_eq!(headers["anthropic-version"], "2023-06-01");
        assert_eq!(headers["x-stainless-lang"], "python");
        assert_eq!(headers["accept-encoding"], "identity");
    }

    #[test]
    fn a_providers_cookies_and_account_never_reach_a_client() {
        let mut headers = mk_headers(&[
            ("set-cookie", "__cf_bm=1"),
            ("set-cookie", "other=1"),
            ("openai-organization", "us"),
            ("x-agentkube-upstream", "forged"),
            ("x-request-id", "req_1"),
            ("content-length", "3"),
        ]);
        to_client(&mut headers);
        assert_eq!(names(&headers), ["x-request-id"]);
    }
}
