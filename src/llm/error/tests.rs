use super::*;

/// Where the message is, in each dialect.
fn message(body: &serde_json::Value) -> &serde_json::Value {
    [&body["error"]["message"], &body["error"], &body["message"]]
        .into_iter()
        .find(|it| it.is_string())
        .unwrap_or(&serde_json::Value::Null)
}

const KINDS: [ErrorKind; 14] = [
    ErrorKind::BadUpstream,
    ErrorKind::Internal,
    ErrorKind::InvalidRequest,
    ErrorKind::MethodNotAllowed,
    ErrorKind::ModelNotFound,
    ErrorKind::NotFound,
    ErrorKind::Overloaded,
    ErrorKind::PermissionDenied,
    ErrorKind::Quota,
    ErrorKind::RateLimited,
    ErrorKind::Timeout,
    ErrorKind::TooLarge,
    ErrorKind::Unauthenticated,
    ErrorKind::Unavailable,
];

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn openai_clients_read_their_own_shape() {
    let error = ApiError::new(ErrorKind::Unauthenticated, "no such key").request_id("r1");
    assert_eq!(error.status(Dialect::OpenAiChat), 401);
    assert_eq!(
        error.body(Dialect::OpenAiChat),
        r#"{"error":{"message":"no such key","type":"invalid_request_error","param":null,"code":"invalid_api_key","request_id":"r1"}}"#
    );
}

#[test]
fn anthropic_clients_read_theirs() {
    let error = ApiError::new(ErrorKind::Unauthenticated, "no such key").request_id("r1");
    assert_eq!(error.status(Dialect::AnthropicMessages), 401);
    assert_eq!(
        error.body(Dialect::AnthropicMessages),
        r#"{"type":"error","error":{"type":"authentication_error","message":"no such key"},"request_id":"r1"}"#
    );
    let error = ApiError::new(ErrorKind::NotFound, "x");
    assert_eq!(
        error.body(Dialect::AnthropicMessages),
        r#"{"type":"error","error":{"type":"not_found_error","message":"x"}}"#
    );
}

#[test]
fn overload_has_a_status_of_its_own_at_anthropic() {
    assert_eq!(
        ErrorKind::Overloaded
            .status(Dialect::AnthropicMessages)
            .as_u16(),
        529
    );
    assert_eq!(
        ErrorKind::Overloaded.status(Dialect::OpenAiChat).as_u16(),
        503
    );
}

#[test]
fn every_kind_is_an_error_in_every_dialect() {
    for dialect in Dialect::ALL.iter().copied() {
        for kind in KINDS {
            let error = ApiError::new(kind, "m");
            let status = error.status(dialect);
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{kind:?}"
            );
            assert_eq!(
                message(&json(&error.body(dialect))),
                "m",
                "{kind:?} {dialect:?}"
            );
            let event = error.stream_event(dialect);
            assert!(
                memchr::memmem::find(&event, b"\"m\"").is_some(),
                "{kind:?} {dialect:?}"
            );
        }
    }
}

#[test]
fn what_the_upstream_did_never_blames_the_clients_key() {
    for dialect in Dialect::ALL.iter().copied() {
        assert_eq!(ErrorKind::BadUpstream.status(dialect).as_u16(), 502);
    }
}

/// What SDKs try again (408, 409, 429 and all of 5xx), and what they do not.
#[test]
fn sdks_try_again_what_may_mend_itself() {
    for dialect in Dialect::ALL.iter().copied() {
        for kind in [
            ErrorKind::Overloaded,
            ErrorKind::RateLimited,
            ErrorKind::Timeout,
            ErrorKind::Unavailable,
        ] {
            let status = kind.status(dialect).as_u16();
            assert!(
                matches!(status, 408 | 429 | 503 | 504 | 529),
                "{kind:?} {dialect:?}"
            );
        }
        for kind in [
            ErrorKind::InvalidRequest,
            ErrorKind::ModelNotFound,
            ErrorKind::TooLarge,
            ErrorKind::Unauthenticated,
        ] {
            let status = kind.status(dialect).as_u16();
            assert!(
                matches!(status, 400 | 401 | 403 | 404 | 413),
                "{kind:?} {dialect:?}"
            );
        }
    }
}

#[test]
fn events_carry_the_same_text_on_one_line() {
    let error = ApiError::new(ErrorKind::Overloaded, "a\nb\u{2028}c\n\ndata: [DONE]");
    for dialect in [
        Dialect::AnthropicMessages,
        Dialect::OpenAiChat,
        Dialect::Gemini,
    ] {
        let event = error.stream_event(dialect);
        let event = std::str::from_utf8(&event).unwrap();
        assert!(!event.contains('\u{2028}'));
        assert_eq!(
            event.matches('\n').count(),
            event.trim_end().lines().count() + 1
        );
        let data: Vec<&str> = event
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!(data.len(), 1);
        assert_eq!(data[0].as_bytes(), error.body(dialect));
    }
}

#[test]
fn what_is_no_server_sent_event_is_one_piece_as_well() {
    let error = ApiError::new(ErrorKind::Overloaded, "a\nb\u{2028}c");
    let line = error.stream_event(Dialect::OllamaChat);
    let line = std::str::from_utf8(&line).unwrap();
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.ends_with('\n') && !line.contains('\u{2028}'));
    let event = error.stream_event(Dialect::OpenAiResponses);
    let event = std::str::from_utf8(&event).unwrap();
    assert!(event.starts_with("event: error\ndata: {"));
    assert_eq!(event.matches('\n').count(), 3);
}
