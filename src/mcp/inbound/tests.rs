use super::*;
use crate::message::Message;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), header::encode(value)))
        .collect()
}

fn verdict(pairs: &[(&'static str, &str)], body: &str) -> Result<Session, (u16, i64)> {
    let message = Message::decode(body.as_bytes(), 16).unwrap();
    classify(&headers(pairs), &message)
        .map_err(|refusal| (refusal.status.as_u16(), refusal.error.code))
}

fn call(name: &str) -> String {
    let name = json::quote(name);
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name},{META}}}}}"#)
}

const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const CALL: (&str, &str) = ("mcp-method", "tools/call");

#[test]
fn a_modern_call_with_agreeing_headers_is_modern() {
    let session = verdict(&[MODERN, CALL, ("mcp-name", "écho")], &call("écho")).unwrap();
    assert_eq!(session.version, Version::V2026_07_28);
}

#[test]
fn a_header_that_disagrees_with_the_body_is_refused() {
    for pairs in [
        &[CALL, ("mcp-name", "a")][..],
        &[
            ("mcp-protocol-version", "2025-11-25"),
            CALL,
            ("mcp-name", "a"),
        ],
        &[MODERN, ("mcp-name", "a")],
        &[MODERN, ("mcp-method", "tools/list"), ("mcp-name", "a")],
        &[MODERN, CALL],
        &[MODERN, CALL, ("mcp-name", "b")],
        &[MODERN, CALL, ("mcp-name", "A")],
    ] {
        assert_eq!(
            verdict(pairs, &call("a")),
            Err((400, error::HEADER_MISMATCH)),
            "{pairs:?}"
        );
    }
}

#[test]
fn an_unknown_modern_version_names_the_ones_that_are_served() {
    let body = call("a").replace("2026-07-28", "2030-01-01");
    let pairs = [
        ("mcp-protocol-version", "2030-01-01"),
        CALL,
        ("mcp-name", "a"),
    ];
    assert_eq!(
        verdict(&pairs, &body),
        Err((400, error::UNSUPPORTED_VERSION))
    );
    let error = ErrorObject::unsupported_version("2030-01-01");
    assert_eq!(
        error.data.unwrap(),
        r#"{"supported":["2026-07-28"],"requested":"2030-01-01"}"#
    );
}

#[test]
fn a_modern_request_without_its_envelope_is_not_taken_for_a_legacy_one() {
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert_eq!(
        verdict(&[MODERN, ("mcp-method", "tools/list")], bare),
        Err((400, error::INVALID_PARAMS))
    );
    let no_capabilities = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    assert_eq!(
        verdict(&[MODERN, ("mcp-method", "tools/list")], no_capabilities),
        Err((400, error::INVALID_PARAMS))
    );
}

#[test]
fn methods_that_the_modern_era_removed_are_not_found_in_it() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{META}}}}}"#);
        let pairs = [MODERN, ("mcp-method", method)];
        assert_eq!(
            verdict(&pairs, &body),
            Err((404, error::METHOD_NOT_FOUND)),
            "{method}"
        );
    }
}

#[test]
fn a_request_without_envelope_is_legacy_in_the_version_it_announces() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert_eq!(verdict(&[], body).unwrap().version, Version::V2025_03_26);
    let pairs = [("mcp-protocol-version", "2025-11-25")];
    assert_eq!(verdict(&pairs, body).unwrap().version, Version::V2025_11_25);
    assert_eq!(
        verdict(&[("mcp-protocol-version", "1.0")], body),
        Err((400, error::UNSUPPORTED_VERSION))
    );
}

#[test]
fn a_call_with_two_readable_names_is_refused_in_both_eras() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#;
    assert_eq!(verdict(&[], body), Err((400, error::INVALID_PARAMS)));
    let body = call("a").replace(META, &format!("{META},\"name\":\"b\""));
    assert_eq!(
        verdict(&[MODERN, CALL, ("mcp-name", "a")], &body),
        Err((400, error::INVALID_PARAMS))
    );
}

#[test]
fn a_notification_needs_no_headers_but_must_not_contradict_them() {
    let body = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(verdict(&[MODERN], body).unwrap().era(), Era::Modern);
    assert_eq!(verdict(&[], body).unwrap().era(), Era::Legacy);
    assert_eq!(
        verdict(&[MODERN, CALL], body),
        Err((400, error::HEADER_MISMATCH))
    );
}
