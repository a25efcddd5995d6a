use super::*;

fn read(text: &str) -> Result<Message<'_>, Malformed> {
    Message::decode(text.as_bytes(), 16)
}

#[test]
fn ids_keep_their_spelling() {
    for id in ["1", "-7", "\"a\\u0062\"", "12345678901234567890123"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(read(&text).unwrap().id().unwrap().as_json(), id);
    }
    for id in ["null", "1.5", "true", "{}", "[]", "1e3"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(read(&text).unwrap_err(), Malformed::Id, "{id}");
    }
}

#[test]
fn unknown_members_survive_a_new_id() {
    let text = r#"{"x":1.0,"jsonrpc":"2.0", "id":"c","method":"tools/call","params":{"b":1,"a":2},"y":[]}"#;
    let new = read(text).unwrap().with_id(&Id::from(9));
    assert_eq!(new, text.replace("\"c\"", "9"));
}

#[test]
fn a_message_with_two_readings_is_refused() {
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#;
    assert_eq!(
        read(twice).unwrap_err(),
        Malformed::Ambiguous(Ambiguous("method"))
    );
    let cased = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","Params":{}}"#;
    assert_eq!(
        read(cased).unwrap_err(),
        Malformed::Ambiguous(Ambiguous("params"))
    );
    let both = r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#;
    assert_eq!(read(both).unwrap_err(), Malformed::Kind);
}

#[test]
fn every_malformed_body_says_what_is_wrong() {
    for (text, code) in [
        ("", error::PARSE_ERROR),
        ("{", error::PARSE_ERROR),
        ("7", error::INVALID_REQUEST),
        ("{}", error::INVALID_REQUEST),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
            error::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            error::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#,
            error::INVALID_REQUEST,
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_error().code, code, "{text}");
    }
    assert_eq!(Message::decode(b"\xff", 4).unwrap_err(), Malformed::Utf8);
}

#[test]
fn a_batch_is_read_message_by_message() {
    let text = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}, 7]"#;
    let Body::Batch(items) = Body::decode(text, 16).unwrap() else {
        panic!("a batch")
    };
    assert_eq!(items[0].as_ref().unwrap().method(), Some("ping"));
    assert_eq!(items[1].as_ref().unwrap_err(), &Malformed::NotAnObject);
    assert_eq!(Body::decode(b"[]", 16).unwrap_err(), Malformed::EmptyBatch);
    let long = format!("[{}]", vec!["1"; MAX_BATCH + 1].join(","));
    assert_eq!(
        Body::decode(long.as_bytes(), 16).unwrap_err(),
        Malformed::LongBatch
    );
}

#[test]
fn an_error_with_a_null_id_is_read() {
    let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#;
    assert!(matches!(
        read(text).unwrap().kind(),
        Kind::Error { id: None, .. }
    ));
}

#[test]
fn string_ids_are_equal_by_meaning() {
    let (a, b) = (
        Id::parse("\"a\"").unwrap(),
        Id::parse("\"\\u0061\"").unwrap(),
    );
    assert!(a.is(&b));
    assert!(!Id::parse("\"1\"").unwrap().is(&Id::from(1)));
}
