//! The gateway's own errors, and the one place where they become responses.

use std::sync::Arc;
use std::time::Duration;

use agentkube_llm::{ApiError, Dialect, ErrorKind};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::failed::{Failed, Kind, Refusal};
use super::headers;
use crate::edge::{Body, CollectError, Unauthenticated};

/// Longest Retry-After that a client is told: some obey whatever they read.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Both SDKs obey it.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

static DROPPED: HeaderName = HeaderName::from_static("x-agentkube-dropped");
static UPSTREAM: HeaderName = HeaderName::from_static("x-agentkube-upstream");
static MODEL: HeaderName = HeaderName::from_static("x-agentkube-model");
static ATTEMPTS: HeaderName = HeaderName::from_static("x-agentkube-attempts");

/// Why a request has no answer of a model.
#[derive(Debug)]
pub(super) enum GatewayError {
    /// Anything that needs no more than a sentence.
    Api(ApiError),
    /// 405 with the methods that there are.
    Method(ApiError, &'static str),
    /// 408 and 415 have no kind of their own in the dialects.
    Status(StatusCode, ApiError),
    /// No key, or an unknown one.
    Unauthenticated(Unauthenticated),
    /// Every upstream that serves the model failed or could not be tried.
    Exhausted(Exhausted),
    /// A refusal that is the client's fault, passed on.
    Refused(Box<(Provenance, Failed)>),
}

/// Who refused, for the response headers.
#[derive(Debug)]
pub(super) struct Provenance {
    pub(super) upstream: HeaderValue,
    pub(super) model: HeaderValue,
    pub(super) attempts: u32,
    /// What the upstream was not told.
    pub(super) dropped: Option<HeaderValue>,
}

/// What was tried, in order.
#[derive(Debug)]
pub(super) struct Exhausted {
    pub(super) model: Arc<str>,
    /// The same for the response header.
    pub(super) named: HeaderValue,
    pub(super) attempts: u32,
    pub(super) tried: Vec<(String, Why)>,
}

/// Why one upstream did not serve.
#[derive(Debug)]
pub(super) enum Why {
    Failed(Failed),
    /// The Secret has no usable value: the sentence names it.
    NoCredentials(String),
    /// Its breaker is open for that long.
    Resting(Duration),
}

impl From<ApiError> for GatewayError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<Unauthenticated> for GatewayError {
    fn from(error: Unauthenticated) -> Self {
        Self::Unauthenticated(error)
    }
}

impl From<CollectError> for GatewayError {
    fn from(error: CollectError) -> Self {
        let api = |kind| ApiError::new(kind, error.to_string());
        match error {
            CollectError::TooLarge { .. } => Self::Api(api(ErrorKind::TooLarge)),
            CollectError::Cut => Self::Api(api(ErrorKind::InvalidRequest)),
            CollectError::Full => Self::Api(api(ErrorKind::Overloaded)),
            CollectError::Stalled => {
                Self::Status(StatusCode::REQUEST_TIMEOUT, api(ErrorKind::InvalidRequest))
            }
        }
    }
}

impl GatewayError {
    pub(super) fn into_response(self, dialect: Dialect) -> Response<Body> {
        match self {
            Self::Api(error) => plain(&error, dialect),
            Self::Method(error, allow) => {
                let mut response = plain(&error, dialect);
                let allow = HeaderValue::from_static(allow);
                response.headers_mut().insert(ALLOW, allow);
                response
            }
            Self::Status(status, error) => {
                let mut response = plain(&error, dialect);
                *response.status_mut() = status;
                response
            }
            Self::Unauthenticated(error) => {
                let kind = if error.is_forbidden() {
                    ErrorKind::PermissionDenied
                } else {
                    ErrorKind::Unauthenticated
                };
                let error = ApiError::new(kind, error.to_string());
                plain(&error, dialect)
            }
            Self::Exhausted(exhausted) => exhausted.into_response(dialect),
            Self::Refused(refused_by) => {
                let (provenance, failed) = *refused_by;
                let mut response = refused(failed, dialect);
                provenance.mark(&mut response);
                response
            }
        }
    }
}

/// An error without anything around it.
pub(super) fn plain(error: &ApiError, dialect: Dialect) -> Response<Body> {
    let mut response = Response::new(Body::full(error.body(dialect)));
    *response.status_mut() = error.status(dialect);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    if let Some((name, value)) = error.header(dialect) {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The provider speaks the client's dialect: its own words are the best ones.
fn refused(failed: Failed, dialect: Dialect) -> Response<Body> {
    let Some(refusal) = failed.refusal else {
        let ours = || ApiError::new(failed.kind.error(), failed.what);
        return plain(&failed.told.map_or_else(ours, |told| told.0), dialect);
    };
    let Refusal {
        status,
        headers,
        body,
    } = *refusal;
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let said = std::mem::take(response.headers_mut());
    *response.headers_mut() = headers::to_client(said);
    response
}

impl Provenance {
    pub(super) fn mark(self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if let Some(dropped) = self.dropped {
            headers.insert(&DROPPED, dropped);
        }
        headers.insert(&UPSTREAM, self.upstream);
        headers.insert(&MODEL, self.model);
        let attempts = match self.attempts {
            1 => HeaderValue::from_static("1"),
            attempts => attempts.into(),
        };
        headers.insert(&ATTEMPTS, attempts);
    }
}

impl Exhausted {
    fn into_response(self, dialect: Dialect) -> Response<Body> {
        let kind = self.kind();
        let mut response = plain(&ApiError::new(kind, self.message()), dialect);
        let headers = response.headers_mut();
        let last = self.tried.last().map(|(name, _)| name.as_str());
        if let Some(last) = last.and_then(|name| HeaderValue::from_str(name).ok()) {
            headers.insert(&UPSTREAM, last);
        }
        let retry_after = self.retry_after();
        headers.insert(&MODEL, self.named);
        headers.insert(&ATTEMPTS, self.attempts.into());
        if let Some(after) = retry_after {
            headers.insert(RETRY_AFTER, seconds(after).into());
        }
        if kind == ErrorKind::Quota {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        response
    }

    /// What the client can do about it decides: trying later comes before what
    /// only an operator can mend.
    fn kind(&self) -> ErrorKind {
        const RANK: [ErrorKind; 6] = [
            ErrorKind::RateLimited,
            ErrorKind::Overloaded,
            ErrorKind::Timeout,
            ErrorKind::BadUpstream,
            ErrorKind::Quota,
            ErrorKind::Unavailable,
        ];
        let kinds = self.tried.iter().map(|(_, why)| why.kind());
        let rank = |kind: &ErrorKind| RANK.iter().position(|known| known == kind);
        kinds.min_by_key(rank).unwrap_or(ErrorKind::Unavailable)
    }

    fn message(&self) -> String {
        let sentences = self.tried.iter().map(|(name, why)| {
            let why = match why {
                Why::Failed(failed) => failed.what.clone(),
                Why::NoCredentials(sentence) => sentence.clone(),
                Why::Resting(wait) => format!(
                    "it failed repeatedly and is left alone for another {} s",
                    seconds(*wait)
                ),
            };
            format!("upstream `{name}`: {why}")
        });
        let sentences: Vec<String> = sentences.collect();
        format!("no answer for `{}`: {}", self.model, sentences.join("; "))
    }

    /// The soonest that anything may have changed.
    fn retry_after(&self) -> Option<Duration> {
        let waits = self.tried.iter().filter_map(|(_, why)| match why {
            Why::Failed(failed) => failed.retry_after,
            Why::Resting(wait) => Some(*wait),
            Why::NoCredentials(_) => None,
        });
        waits.min().map(|wait| wait.min(MAX_RETRY_AFTER))
    }
}

impl Why {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed(failed) => failed.kind.error(),
            Self::NoCredentials(_) | Self::Resting(_) => ErrorKind::Unavailable,
        }
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

impl Failed {
    /// True when no other upstream would say anything else.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.kind, Kind::BadRequest | Kind::NotFound)
    }
}
