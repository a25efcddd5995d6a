//! A provider's refusal → what routing should do about it.
//!
//! The status gives a first idea; the provider's own words correct it, since
//! a 429 may be an empty account and a 400 an unpaid bill.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Failure, FailureKind, ProviderMessage};

/// Words that say more than the status they came with.
const WORDS: &[(&str, FailureKind)] = &[
    ("AccessDeniedException", FailureKind::Credentials),
    ("ExpiredTokenException", FailureKind::Credentials),
    ("IncompleteSignatureException", FailureKind::Credentials),
    ("InternalServerException", FailureKind::ServerError),
    ("InvalidSignatureException", FailureKind::Credentials),
    (
        "MissingAuthenticationTokenException",
        FailureKind::Credentials,
    ),
    ("ModelErrorException", FailureKind::ServerError),
    ("ModelNotReadyException", FailureKind::Overloaded),
    ("ModelStreamErrorException", FailureKind::ServerError),
    ("ModelTimeoutException", FailureKind::Timeout),
    ("ResourceNotFoundException", FailureKind::NotFound),
    ("ServiceQuotaExceededException", FailureKind::Quota),
    ("ServiceUnavailableException", FailureKind::Overloaded),
    ("ThrottlingException", FailureKind::RateLimited),
    ("UnrecognizedClientException", FailureKind::Credentials),
    ("access_terminated", FailureKind::Credentials),
    ("account_deactivated", FailureKind::Credentials),
    ("authentication_error", FailureKind::Credentials),
    ("billing_error", FailureKind::Quota),
    ("billing_hard_limit_reached", FailureKind::Quota),
    ("billing_not_active", FailureKind::Quota),
    ("context_length_exceeded", FailureKind::BadRequest),
    ("engine_overloaded", FailureKind::Overloaded),
    ("engine_overloaded_error", FailureKind::Overloaded),
    ("insufficient_quota", FailureKind::Quota),
    ("invalid_api_key", FailureKind::Credentials),
    ("invalid_prompt", FailureKind::BadRequest),
    ("model_not_found", FailureKind::NotFound),
    ("overloaded_error", FailureKind::Overloaded),
    ("permission_error", FailureKind::Credentials),
    ("rate_limit_error", FailureKind::RateLimited),
    ("rate_limit_exceeded", FailureKind::RateLimited),
    ("UNAUTHENTICATED", FailureKind::Credentials),
    ("UNAVAILABLE", FailureKind::Overloaded),
    ("request_too_large", FailureKind::BadRequest),
    ("server_is_overloaded", FailureKind::Overloaded),
    ("slow_down", FailureKind::Overloaded),
    ("timeout_error", FailureKind::Timeout),
];

/// Words that say less than a status, and count where there is none.
const VAGUE_WORDS: &[(&str, FailureKind)] = &[
    ("BadRequestError", FailureKind::BadRequest),
    ("ValidationException", FailureKind::BadRequest),
    ("NotFoundError", FailureKind::NotFound),
    ("invalid_request_error", FailureKind::BadRequest),
    ("not_found_error", FailureKind::NotFound),
];

/// Anthropic reports an empty account as a 400 `invalid_request_error`, Bedrock an
/// unknown model as a `ValidationException`, to be known by their text only.
const PHRASES: &[(&str, FailureKind)] = &[
    ("API key not valid", FailureKind::Credentials),
    ("credit balance is too low", FailureKind::Quota),
    ("model identifier is invalid", FailureKind::NotFound),
    ("organization has been disabled", FailureKind::Credentials),
    (
        "reached your specified API usage limits",
        FailureKind::Quota,
    ),
];

/// Says what a refusal means. `status` is not 2xx; `body` may be cut.
#[must_use]
pub fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Failure {
    let mut facts = Facts::read(body);
    if let Some(word) = aws_type(headers) {
        facts.r#type = Some(word.to_owned());
    }
    let kind = facts.specific_kind().unwrap_or_else(|| of_status(status));
    facts.into_failure(kind, retry_after(headers, now))
}

/// Says what an error inside of a 200 means: an event of a stream, or a body.
pub(crate) fn in_stream(data: &[u8]) -> Failure {
    let facts = Facts::read(data);
    let kind = facts
        .specific_kind()
        .or_else(|| facts.status.map(of_status))
        .or_else(|| facts.look_up(VAGUE_WORDS))
        .unwrap_or(FailureKind::ServerError);
    facts.into_failure(kind, None)
}

/// Says what an exception of an AWS stream means. There, names begin with a small
/// letter.
pub(crate) fn named(name: &str, data: &[u8]) -> Failure {
    let mut facts = Facts::read(data);
    let mut word = name.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    facts.r#type = Some(word);
    let kind = facts
        .specific_kind()
        .or_else(|| facts.look_up(VAGUE_WORDS))
        .unwrap_or(FailureKind::ServerError);
    facts.into_failure(kind, None)
}

/// AWS names its errors in a header: `ThrottlingException:http://…`.
fn aws_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("x-amzn-errortype")?.to_str().ok()?;
    value.split(':').next().map(last_name)
}

/// `com.amazon.coral.service#AccessDeniedException` without its namespace.
fn last_name(word: &str) -> &str {
    word.rsplit('#').next().unwrap_or(word)
}

/// How long the provider asks to be left alone: `retry-after-ms`, or
/// `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return wait(millis / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return wait(seconds);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that has passed: at once.
    Some(date.duration_since(now).unwrap_or_default())
}

/// More seconds than can be counted are a wait that never ends, not none.
fn wait(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn of_status(status: StatusCode) -> FailureKind {
    match status.as_u16() {
        401 | 403 => FailureKind::Credentials,
        402 => FailureKind::Quota,
        404 => FailureKind::NotFound,
        408 | 504 => FailureKind::Timeout,
        429 => FailureKind::RateLimited,
        503 | 529 => FailureKind::Overloaded,
        // OpenAI's and Anthropic's SDKs retry a 409: a lock was not free.
        409 => FailureKind::ServerError,
        400..=499 => FailureKind::BadRequest,
        _ => FailureKind::ServerError,
    }
}

/// What an error body says, in whichever of the known shapes.
#[derive(Debug, Default)]
struct Facts {
    code: Option<String>,
    r#type: Option<String>,
    status: Option<StatusCode>,
    message: Option<String>,
    retry_after: Option<Duration>,
}

impl Facts {
    fn read(body: &[u8]) -> Self {
        let Some(outer) = outer(body) else {
            return Self::default();
        };
        let Some(error) = outer.error else {
            // vLLM's older shape has the fields at the top.
            return serde_json::from_slice::<Inner<'_>>(body)
                .map(Self::from)
                .unwrap_or_default();
        };
        if let Ok(inner) = serde_json::from_str::<Inner<'_>>(error.get()) {
            return Self::from(inner);
        }
        let message = serde_json::from_str(error.get()).ok();
        Self {
            message,
            ..Self::default()
        }
    }

    fn specific_kind(&self) -> Option<FailureKind> {
        if let Some(kind) = self.look_up(WORDS) {
            return Some(kind);
        }
        let message = self.message.as_deref()?;
        PHRASES
            .iter()
            .find(|(phrase, _)| message.contains(phrase))
            .map(|(_, kind)| *kind)
    }

    fn look_up(&self, words: &[(&str, FailureKind)]) -> Option<FailureKind> {
        [&self.code, &self.r#type]
            .into_iter()
            .flatten()
            .find_map(|found| {
                words
                    .iter()
                    .find(|(word, _)| word == found)
                    .map(|(_, kind)| *kind)
            })
    }

    fn into_failure(self, kind: FailureKind, retry_after: Option<Duration>) -> Failure {
        let code = [self.code, self.r#type]
            .into_iter()
            .flatten()
            .find(|word| is_word(word));
        let message = self.message.as_deref().map(ProviderMessage::new);
        Failure {
            kind,
            code,
            message,
            retry_after: retry_after.or(self.retry_after),
        }
    }
}

/// Google says it in the body: `{"@type":"…RetryInfo","retryDelay":"34.07s"}`.
fn retry_delay(details: &RawValue) -> Option<Duration> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Detail {
        retry_delay: Option<String>,
    }
    let details: Vec<Detail> = serde_json::from_str(details.get()).ok()?;
    let delay = details.into_iter().find_map(|detail| detail.retry_delay)?;
    wait(delay.strip_suffix('s')?.parse().ok()?)
}

/// True when a text can stand in a log: a name, not a sentence.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Google wraps errors in a list where it streams one.
fn outer(body: &[u8]) -> Option<Outer<'_>> {
    // A list would be taken for the members in their order.
    if !body.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(body).ok();
    }
    let list: Vec<Outer<'_>> = serde_json::from_slice(body).ok()?;
    list.into_iter().next()
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    __type: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
    #[serde(borrow, alias = "Message")]
    message: Option<&'a RawValue>,
}

impl From<Inner<'_>> for Facts {
    fn from(inner: Inner<'_>) -> Self {
        let text = |raw: Option<&RawValue>| {
            raw.and_then(|raw| serde_json::from_str::<Cow<'_, str>>(raw.get()).ok())
                .map(Cow::into_owned)
        };
        let number = inner
            .code
            .and_then(|raw| raw.get().trim_matches('"').parse::<u16>().ok());
        let status = number.and_then(|code| StatusCode::from_u16(code).ok());
        Self {
            code: if number.is_some() {
                None
            } else {
                text(inner.code)
            },
            r#type: text(inner.r#type)
                .or_else(|| text(inner.__type).map(|word| last_name(&word).to_owned()))
                .or_else(|| text(inner.status)),
            retry_after: inner.details.and_then(retry_delay),
            status: status.filter(|status| status.as_u16() >= 400),
            message: text(inner.message),
        }
    }
}

#[cfg(test)]
mod tests;
