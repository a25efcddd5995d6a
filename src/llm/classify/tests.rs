use http::HeaderValue;

use super::*;
use crate::fixtures;

fn kind(status: u16, fixture: &str) -> FailureKind {
    let status = StatusCode::from_u16(status).unwrap();
    classify(
        status,
        &HeaderMap::new(),
        &fixtures::read(fixture),
        SystemTime::UNIX_EPOCH,
    )
    .kind
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

#[test]
fn openai_refusals_mean_what_its_guide_says() {
    for (status, fixture, expected) in [
        (400, "openai/error_400.json", FailureKind::BadRequest),
        (
            400,
            "openai/error_400_context.json",
            FailureKind::BadRequest,
        ),
        (401, "openai/error_401.json", FailureKind::Credentials),
        (
            401,
            "openai/error_401_no_key.json",
            FailureKind::Credentials,
        ),
        (403, "openai/error_403.json", FailureKind::Credentials),
        (404, "openai/error_404.json", FailureKind::NotFound),
        (429, "openai/error_429.json", FailureKind::RateLimited),
        (500, "openai/error_500.json", FailureKind::ServerError),
        (503, "openai/error_503.json", FailureKind::Overloaded),
        (404, "openai/ollama_error_404.json", FailureKind::NotFound),
        (400, "openai/azure_error_400.json", FailureKind::BadRequest),
        (404, "openai/vllm_error_404.json", FailureKind::NotFound),
    ] {
        assert_eq!(kind(status, fixture), expected, "{fixture}");
    }
}

#[test]
fn anthropic_refusals_mean_what_its_guide_says() {
    for (status, expected) in [
        (400, FailureKind::BadRequest),
        (401, FailureKind::Credentials),
        (402, FailureKind::Quota),
        (403, FailureKind::Credentials),
        (404, FailureKind::NotFound),
        (413, FailureKind::BadRequest),
        (429, FailureKind::RateLimited),
        (500, FailureKind::ServerError),
        (529, FailureKind::Overloaded),
    ] {
        let fixture = format!("anthropic/error_{status}.json");
        assert_eq!(kind(status, &fixture), expected, "{fixture}");
    }
}

#[test]
fn bedrock_refusals_mean_what_its_guide_says() {
    for (fixture, expected) in [
        ("400", FailureKind::BadRequest),
        ("400_model", FailureKind::NotFound),
        ("400_quota", FailureKind::Quota),
        ("403", FailureKind::Credentials),
        ("403_bearer", FailureKind::Credentials),
        ("403_key", FailureKind::Credentials),
        ("404", FailureKind::NotFound),
        ("408", FailureKind::Timeout),
        ("424", FailureKind::ServerError),
        ("429", FailureKind::RateLimited),
        ("429_not_ready", FailureKind::Overloaded),
        ("500", FailureKind::ServerError),
        ("503", FailureKind::Overloaded),
    ] {
        let status = fixture[..3].parse().unwrap();
        let fixture = format!("bedrock/error_{fixture}.json");
        assert_eq!(kind(status, &fixture), expected, "{fixture}");
    }
}

#[test]
fn googles_refusals_mean_what_its_guide_says() {
    for (fixture, expected) in [
        ("400", FailureKind::BadRequest),
        ("400_key", FailureKind::Credentials),
        ("400_signature", FailureKind::BadRequest),
        ("401", FailureKind::Credentials),
        ("403", FailureKind::Credentials),
        ("404", FailureKind::NotFound),
        ("429", FailureKind::RateLimited),
        ("429_list", FailureKind::RateLimited),
        ("500", FailureKind::ServerError),
        ("503", FailureKind::Overloaded),
        ("504", FailureKind::Timeout),
    ] {
        let status = fixture[..3].parse().unwrap();
        let fixture = format!("gemini/error_{fixture}.json");
        assert_eq!(kind(status, &fixture), expected, "{fixture}");
    }
}

#[test]
fn a_delay_and_a_list_of_googles_are_read() {
    let now = SystemTime::UNIX_EPOCH;
    let read = |fixture| {
        let body = fixtures::read(fixture);
        classify(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), &body, now)
    };
    let delayed = read("gemini/error_429.json");
    assert_eq!(delayed.retry_after, Some(Duration::from_millis(34_070)));
    let listed = read("gemini/error_429_list.json");
    assert_eq!(listed.code.as_deref(), Some("RESOURCE_EXHAUSTED"));
    assert!(listed.message.is_some(), "its words are found in the list");
    let in_stream = in_stream(&fixtures::read("gemini/error_429_list.json"));
    assert_eq!(in_stream.kind, FailureKind::RateLimited);
}

#[test]
fn ollamas_refusals_are_known_by_their_status() {
    for (status, fixture, expected) in [
        (400, "400", FailureKind::BadRequest),
        (400, "400_context", FailureKind::BadRequest),
        (401, "401", FailureKind::Credentials),
        (403, "403", FailureKind::Credentials),
        (404, "404", FailureKind::NotFound),
        (429, "429", FailureKind::RateLimited),
        (500, "500", FailureKind::ServerError),
        (503, "503", FailureKind::Overloaded),
    ] {
        let fixture = format!("ollama/error_{fixture}.json");
        assert_eq!(kind(status, &fixture), expected, "{fixture}");
    }
}

#[test]
fn refusals_of_responses_mean_what_those_of_chat_do() {
    for (status, fixture, expected) in [
        (400, "400", FailureKind::BadRequest),
        (400, "400_context", FailureKind::BadRequest),
        (401, "401", FailureKind::Credentials),
        (404, "404", FailureKind::NotFound),
        (429, "429", FailureKind::RateLimited),
        (429, "quota", FailureKind::Quota),
        (500, "500", FailureKind::ServerError),
        (503, "503", FailureKind::Overloaded),
        (404, "vllm_404", FailureKind::NotFound),
    ] {
        let fixture = format!("openai-responses/error_{fixture}.json");
        assert_eq!(kind(status, &fixture), expected, "{fixture}");
    }
}

#[test]
fn the_header_of_aws_says_more_than_status_and_body() {
    let named = headers(&[(
        "x-amzn-errortype",
        "ServiceQuotaExceededException:http://internal.amazon.com/coral/x/",
    )]);
    let status = StatusCode::BAD_REQUEST;
    let body = br#"{"message":"no more"}"#;
    let failure = classify(status, &named, body, SystemTime::UNIX_EPOCH);
    assert_eq!(failure.kind, FailureKind::Quota);
    assert_eq!(
        failure.code.as_deref(),
        Some("ServiceQuotaExceededException")
    );
    assert!(failure.message.is_some());
}

#[test]
fn an_empty_account_is_no_rate_limit() {
    assert_eq!(kind(429, "openai/error_quota.json"), FailureKind::Quota);
    assert_eq!(kind(400, "anthropic/error_quota.json"), FailureKind::Quota);
}

#[test]
fn a_body_of_a_balancer_is_classified_by_its_status() {
    for (status, expected) in [
        (502, FailureKind::ServerError),
        (503, FailureKind::Overloaded),
        (504, FailureKind::Timeout),
        (409, FailureKind::ServerError),
        (422, FailureKind::BadRequest),
        (302, FailureKind::ServerError),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        for body in [
            &b"<html>Bad Gateway</html>"[..],
            b"",
            b"{}",
            b"[1]",
            b"{\"error\":7}",
        ] {
            let failure = classify(status, &HeaderMap::new(), body, SystemTime::UNIX_EPOCH);
            assert_eq!(failure.kind, expected, "{status}");
            assert_eq!(failure.message, None);
        }
    }
}

#[test]
fn an_error_inside_of_a_200_is_classified_by_its_words_or_its_number() {
    for (data, expected) in [
        (
            r#"{"error":{"message":"x","code":"server_is_overloaded"}}"#,
            FailureKind::Overloaded,
        ),
        (
            r#"{"error":{"message":"x","type":"server_error","code":null}}"#,
            FailureKind::ServerError,
        ),
        (
            r#"{"error":{"message":"x","type":"BadRequestError","code":400}}"#,
            FailureKind::BadRequest,
        ),
        (
            r#"{"object":"error","message":"x","code":400}"#,
            FailureKind::BadRequest,
        ),
        (
            r#"{"error":{"code":429,"message":"x"}}"#,
            FailureKind::RateLimited,
        ),
        (
            r#"{"error":{"code":"429","message":"x"}}"#,
            FailureKind::RateLimited,
        ),
        (
            r#"{"error":"model runner has unexpectedly stopped"}"#,
            FailureKind::ServerError,
        ),
        (
            r#"{"type":"error","error":{"type":"rate_limit_error"}}"#,
            FailureKind::RateLimited,
        ),
        ("not JSON", FailureKind::ServerError),
    ] {
        assert_eq!(in_stream(data.as_bytes()).kind, expected, "{data}");
    }
}

#[test]
fn debug_shows_the_word_and_hides_the_message() {
    let failure = in_stream(br#"{"error":{"message":"about my prompt","code":"slow_down"}}"#);
    assert_eq!(failure.code.as_deref(), Some("slow_down"));
    assert_eq!(
        failure.message.as_ref().unwrap().for_client(),
        "about my prompt"
    );
    assert!(!format!("{failure:?}").contains("prompt"));
}

#[test]
fn a_sentence_is_no_word() {
    let failure = in_stream(br#"{"error":{"code":"you said: my prompt","type":"server_error"}}"#);
    assert_eq!(failure.code.as_deref(), Some("server_error"));
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "ä".repeat(3000));
    let message = in_stream(body.as_bytes()).message.unwrap();
    assert_eq!(message.for_client(), "ä".repeat(1024));
}

#[test]
fn the_provider_says_how_long_to_wait() {
    let now = httpdate::parse_http_date("Mon, 23 Nov 2026 10:00:00 GMT").unwrap();
    for (pairs, expected) in [
        (&[("retry-after", "20")][..], Some(Duration::from_secs(20))),
        (
            &[("retry-after", " 1.5 ")],
            Some(Duration::from_millis(1500)),
        ),
        (
            &[("retry-after-ms", "250"), ("retry-after", "1")],
            Some(Duration::from_millis(250)),
        ),
        (
            &[("retry-after", "Mon, 23 Nov 2026 10:00:30 GMT")],
            Some(Duration::from_secs(30)),
        ),
        (
            &[("retry-after", "Mon, 23 Nov 2026 09:00:00 GMT")],
            Some(Duration::ZERO),
        ),
        (&[("retry-after", "-5")], None),
        (&[("retry-after", "NaN")], None),
        (&[("retry-after", "1e300")], Some(Duration::MAX)),
        (&[("retry-after", "soon")], None),
        (&[], None),
    ] {
        assert_eq!(retry_after(&headers(pairs), now), expected, "{pairs:?}");
    }
}
