use proptest::prelude::*;

use super::*;

fn model_of(body: &str) -> Option<String> {
    peek(body.as_bytes()).unwrap().model
}

#[test]
fn the_fields_that_route_are_found_anywhere() {
    let body =
        r#" {"messages":[{"model":"no","stream":true}], "stream" : true ,"n":2,"model":"a/b:1"}"#;
    let peeked = peek(body.as_bytes()).unwrap();
    assert_eq!(peeked.model.as_deref(), Some("a/b:1"));
    assert!(peeked.stream);
    assert_eq!(peeked.choices, 2);
    assert_eq!(&body[peeked.spans.model.unwrap()], r#""a/b:1""#);
}

#[test]
fn ollamas_chats_stream_unless_they_say_no() {
    for (body, unasked) in [
        ("{}", true),
        (r#"{"stream":null}"#, true),
        (r#"{"stream":false}"#, false),
    ] {
        let peeked = peek(body.as_bytes()).unwrap();
        assert_eq!(peeked.streams(Dialect::OllamaChat), unasked, "{body}");
        assert!(!peeked.streams(Dialect::OpenAiChat), "{body}");
    }
    let asked = peek(br#"{"stream":true}"#).unwrap();
    assert!(asked.streams(Dialect::OllamaChat) && asked.streams(Dialect::OpenAiChat));
}

#[test]
fn escapes_in_keys_and_names_are_understood() {
    assert_eq!(
        model_of(r#"{"mod\u0065l":"gpt\u002d5"}"#).as_deref(),
        Some("gpt-5")
    );
}

#[test]
fn a_duplicate_that_hides_behind_an_escape_is_refused() {
    for body in [
        r#"{"model":"cheap","model":"dear"}"#,
        r#"{"model":"cheap","mod\u0065l":"dear"}"#,
        r#"{"model":null,"model":"dear"}"#,
    ] {
        assert_eq!(
            peek(body.as_bytes()),
            Err(PeekError::Duplicate { field: "model" }),
            "{body}"
        );
    }
    let twice = peek(br#"{"stream":true,"stream":false}"#);
    assert_eq!(twice, Err(PeekError::Duplicate { field: "stream" }));
    let inner = peek(br#"{"stream_options":{"include_usage":true,"include_usage":false}}"#);
    assert_eq!(
        inner,
        Err(PeekError::Duplicate {
            field: "stream_options.include_usage"
        })
    );
}

#[test]
fn a_request_may_name_no_model() {
    for body in ["{}", r#"{"model":null}"#, r#"{"model":""}"#] {
        assert_eq!(model_of(body), None, "{body}");
    }
}

#[test]
fn wrong_types_are_refused_by_name_without_quoting_them() {
    for (body, field) in [
        (r#"{"model":7}"#, "model"),
        (r#"{"model":["secret"]}"#, "model"),
        (r#"{"stream":"secret"}"#, "stream"),
        (r#"{"stream_options":"secret"}"#, "stream_options"),
        (
            r#"{"stream_options":{"include_usage":"secret"}}"#,
            "stream_options.include_usage",
        ),
    ] {
        let error = peek(body.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, PeekError::WrongType { field: at, .. } if *at == field),
            "{body}"
        );
        assert!(!error.to_string().contains("secret"));
    }
    for body in ["[]", "7", "\"secret\"", "null"] {
        assert_eq!(peek(body.as_bytes()), Err(PeekError::NotAnObject), "{body}");
    }
}

#[test]
fn malformed_json_says_where_and_quotes_nothing() {
    let body = "{\n  \"messages\": [\"secret\"],\n  \"model\": secret\n}";
    let error = peek(body.as_bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            PeekError::Malformed {
                line: 3,
                column: 12,
                ..
            }
        ),
        "{error:?}"
    );
    let text = error.to_string();
    assert_eq!(
        text,
        "the body is not valid JSON: expected value at line 3 column 12"
    );
    for body in [
        "",
        "{",
        r#"{"a":1"#,
        r#"{"a":1}x"#,
        r#"{"a":1,}"#,
        "{\"a\":\"\u{1}\"}",
    ] {
        let error = peek(body.as_bytes()).unwrap_err();
        assert!(
            matches!(error, PeekError::Malformed { .. }),
            "{body}: {error:?}"
        );
    }
    assert!(matches!(
        peek(b"{\"model\":\"\xff\"}"),
        Err(PeekError::Malformed { .. })
    ));
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 1_000_000;
        let inner = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let body = format!("{{\"model\":\"m\",\"x\":{inner}}}");
        assert_eq!(model_of(&body).as_deref(), Some("m"));
        let body = format!("{{\"stream_options\":{inner}}}");
        assert_eq!(peek(body.as_bytes()).is_ok(), open != "[");
        assert!(peek(open.repeat(depth).as_bytes()).is_err());
    }
}

#[test]
fn endless_model_names_are_refused() {
    let body = format!("{{\"model\":\"{}\"}}", "m".repeat(257));
    assert_eq!(
        peek(body.as_bytes()),
        Err(PeekError::ModelTooLong { bytes: 257 })
    );
}

#[test]
fn every_refusal_is_a_400_that_names_the_field() {
    let error = PeekError::Duplicate { field: "model" }.to_error();
    assert_eq!(error.status(crate::Dialect::OpenAiChat), 400);
    assert_eq!(
        error.body(crate::Dialect::OpenAiChat),
        r#"{"error":{"message":"the body has the field `model` twice, or not in small letters","type":"invalid_request_error","param":"model","code":null}}"#
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>()) {
        let _ = peek(&body);
    }

    #[test]
    fn no_json_like_text_panics(body in r#"[{}\[\]",: \\utruefalsn0-9mode]{0,60}"#) {
        let _ = peek(body.as_bytes());
    }
}

#[test]
fn a_key_that_some_servers_would_take_for_another_is_refused() {
    for body in [
        r#"{"model":"allowed","Model":"forbidden"}"#,
        r#"{"MODEL":"forbidden"}"#,
        "{\"model\":\"m\",\"\u{17f}tream\":true}",
        r#"{"model":"m","stream_options":{"Include_Usage":true}}"#,
    ] {
        assert!(
            matches!(peek(body.as_bytes()), Err(PeekError::Duplicate { .. })),
            "{body}"
        );
    }
    assert!(peek(r#"{"model":"m","models":1,"modèle":2}"#.as_bytes()).is_ok());
}
