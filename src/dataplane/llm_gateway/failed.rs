//! One attempt that failed: what routing makes of it, and what people read.

use std::fmt;
use std::time::Duration;

use agentkube_llm::{ApiError, ErrorKind, Failure, FailureKind};
use agentkube_plan::{Credentials, GatewayUpstream, RetryOn};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::credential::Key;
use super::metrics::Outcome;
use crate::upstream::SendError;

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) kind: Kind,
    /// For logs, status and clients: no secret, nothing of the request.
    pub(super) what: String,
    pub(super) retry_after: Option<Duration>,
    /// The provider's refusal, to be passed on when it is the client's fault.
    pub(super) refusal: Option<Box<Refusal>>,
    /// The same in the provider's words, for the client only.
    pub(super) told: Option<Box<Told>>,
    /// It refuses this model, or this request, and says nothing about the next.
    forbidden: bool,
    /// It does not take the thoughts that it was given back.
    pub(super) refuses_thoughts: bool,
}

/// What a client is told of a refusal. Providers quote prompts, so it is not printed.
pub(super) struct Told(pub(super) ApiError);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told(…)")
    }
}

/// The kinds of failure that routing tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is wrong, or names what the provider does not have.
    BadRequest,
    NotFound,
    /// No connection, or one that broke before any answer.
    Connect,
    /// No connection, no head or no first event in time.
    Timeout,
    Credentials,
    Overloaded,
    Quota,
    RateLimited,
    ServerError,
}

/// A provider's refusal as it came.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Failed {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            retry_after: None,
            refusal: None,
            told: None,
            forbidden: false,
            refuses_thoughts: false,
        }
    }

    pub(super) fn send(error: SendError) -> Self {
        let kind = match error {
            SendError::ConnectTimeout(_) => Kind::Timeout,
            SendError::Connect(_) | SendError::Forbidden(_) | SendError::Broken(_) => Kind::Connect,
        };
        Self::new(kind, error.to_string())
    }

    /// A provider's failure; `status` of the answer that carried it.
    pub(super) fn provider(failure: Failure, status: StatusCode, spec: &GatewayUpstream) -> Self {
        let kind = Kind::of(failure.kind);
        let code = failure.code.as_deref().unwrap_or_default();
        let said = match (status.is_success(), code) {
            (true, "") => "an error under status 200".to_owned(),
            (true, code) => format!("{code} under status 200"),
            (false, "") => format!("status {}", status.as_u16()),
            (false, code) => format!("status {}, {code}", status.as_u16()),
        };
        Self {
            refuses_thoughts: failure.refuses_thoughts(),
            retry_after: failure.retry_after,
            told: failure
                .message
                .is_some()
                .then(|| Box::new(Told(failure.to_error()))),
            forbidden: status == StatusCode::FORBIDDEN,
            ..Self::new(kind, kind.sentence(&said, &spec.credentials))
        }
    }
}

impl Failed {
    /// Whether it says that the upstream is not well. A 403 may be about one model of
    /// many, which a client chose: it must not take the others from everybody.
    pub(super) fn trips_breaker(&self) -> bool {
        self.kind.trips_breaker() && !self.forbidden
    }

    /// True when it does not know the model, which another upstream may.
    pub(super) fn is_of_model(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// Forgets the provider's words where they quote our key: some repeat what
    /// they were sent.
    pub(super) fn without_key(mut self, key: &Key) -> Self {
        let refusal = self.refusal.as_ref();
        if refusal.is_some_and(|refusal| key.is_quoted_in(&refusal.body)) {
            self.refusal = None;
        }
        let told = self.told.as_ref();
        if told.is_some_and(|told| key.is_quoted_in(told.0.message().as_bytes())) {
            self.told = None;
        }
        self
    }
}

impl Kind {
    fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::BadRequest => Self::BadRequest,
            FailureKind::NotFound => Self::NotFound,
            FailureKind::Credentials => Self::Credentials,
            FailureKind::Overloaded => Self::Overloaded,
            FailureKind::Quota => Self::Quota,
            FailureKind::RateLimited => Self::RateLimited,
            FailureKind::ServerError => Self::ServerError,
            FailureKind::Timeout => Self::Timeout,
        }
    }

    fn sentence(self, said: &str, credentials: &Credentials) -> String {
        match (self, credentials) {
            (Self::Credentials, Credentials::None) => {
                format!("the provider asks for credentials and none are configured ({said})")
            }
            (Self::Credentials, credentials) => match credentials.needed().last() {
                Some(secret) => {
                    format!("the provider refused the credentials in {secret} ({said})")
                }
                None => format!("the provider refused the pod's own identity ({said})"),
            },
            (Self::Quota, _) => format!("the provider's account has no quota left ({said})"),
            (Self::RateLimited, _) => format!("the provider's rate limit is reached ({said})"),
            (Self::Overloaded, _) => format!("the provider is overloaded ({said})"),
            (Self::Timeout, _) => format!("the provider ran out of time ({said})"),
            (Self::NotFound, _) => format!("the provider does not know the model ({said})"),
            (Self::BadRequest, _) => format!("the provider refused the request ({said})"),
            (Self::Connect | Self::ServerError, _) => format!("the provider failed ({said})"),
        }
    }

    /// Which entry of `retryOn` covers it; none for what is the client's fault.
    pub(super) fn retry_on(self) -> Option<RetryOn> {
        match self {
            Self::BadRequest | Self::NotFound => None,
            Self::Connect => Some(RetryOn::ConnectFailure),
            Self::Timeout => Some(RetryOn::Timeout),
            Self::Credentials => Some(RetryOn::Credentials),
            Self::Overloaded => Some(RetryOn::Overloaded),
            Self::Quota => Some(RetryOn::Quota),
            Self::RateLimited => Some(RetryOn::RateLimited),
            Self::ServerError => Some(RetryOn::ServerError),
        }
    }

    /// Whether it says that the upstream is not well. A rate limit is ours, and a
    /// bad request the client's.
    fn trips_breaker(self) -> bool {
        match self {
            Self::BadRequest | Self::NotFound | Self::Quota | Self::RateLimited => false,
            Self::Connect
            | Self::Timeout
            | Self::Credentials
            | Self::Overloaded
            | Self::ServerError => true,
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::BadRequest => Outcome::BadRequest,
            Self::NotFound => Outcome::NotFound,
            Self::Connect => Outcome::ConnectFailure,
            Self::Timeout => Outcome::Timeout,
            Self::Credentials => Outcome::Credentials,
            Self::Overloaded => Outcome::Overloaded,
            Self::Quota => Outcome::Quota,
            Self::RateLimited => Outcome::RateLimited,
            Self::ServerError => Outcome::ServerError,
        }
    }

    /// What the client is told when nothing else could serve.
    pub(super) fn error(self) -> ErrorKind {
        match self {
            Self::BadRequest => ErrorKind::InvalidRequest,
            Self::NotFound => ErrorKind::ModelNotFound,
            Self::Connect | Self::Credentials | Self::ServerError => ErrorKind::BadUpstream,
            Self::Timeout => ErrorKind::Timeout,
            Self::Overloaded => ErrorKind::Overloaded,
            Self::Quota => ErrorKind::Quota,
            Self::RateLimited => ErrorKind::RateLimited,
        }
    }
}
