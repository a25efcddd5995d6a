//! Tokens that another server gives: asked for once, kept, and replaced before
//! they expire or when the provider refuses one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt};

use super::PATIENCE;
use crate::edge::BoxError;
use crate::source::SecretValue;
use crate::upstream::SendError;

/// How long nobody asks again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a token that was refused is not replaced by another: it is then not
/// the token that is wrong.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// No token lives longer, for us: more would only overflow clocks.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Longest answer of a token server: bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A token as it was given.
pub(in crate::llm_gateway) struct Issued {
    pub(super) token: SecretString,
    /// `None`: the server does not say.
    pub(super) lifetime: Option<Duration>,
}

/// Asks for a token. The error is a sentence for people, without secrets.
pub(in crate::llm_gateway) type Ask =
    Box<dyn Fn() -> BoxFuture<'static, Result<Issued, String>> + Send + Sync>;

/// The tokens of one upstream.
pub(in crate::llm_gateway) struct Tokens {
    ask: Ask,
    current: Mutex<Option<Arc<Token>>>,
    /// Held while one is asked for; when and why that failed the last time.
    asking: tokio::sync::Mutex<Option<(Instant, String)>>,
    replaced: Mutex<Option<Instant>>,
}

struct Token {
    header: HeaderValue,
    /// From here on a new one is asked for while this one still serves.
    ages: Option<Instant>,
    expires: Option<Instant>,
}

impl Tokens {
    pub(super) fn new(ask: Ask) -> Self {
        Self {
            ask,
            current: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            replaced: Mutex::default(),
        }
    }

    /// The header of a token that is good now.
    pub(super) async fn token(&self) -> Result<HeaderValue, String> {
        let known = self.current().filter(|token| !is_past(token.expires));
        match known {
            Some(token) if !is_past(token.ages) => Ok(token.header.clone()),
            // One asks for the next; the others go on with this one, and so does
            // the one when there is no next.
            Some(token) => match self.asking.try_lock() {
                Ok(last) => Ok(self
                    .renew(last)
                    .await
                    .unwrap_or_else(|_| token.header.clone())),
                Err(_) => Ok(token.header.clone()),
            },
            None => self.first().await,
        }
    }

    /// Forgets a token that the provider refused. False when another would not be
    /// of use.
    pub(super) fn refused(&self, header: &HeaderValue) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current
            .as_ref()
            .is_some_and(|token| token.header != *header)
        {
            // Somebody was faster.
            return true;
        }
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.is_some_and(|at| at.elapsed() < GIVEN_UP) {
            return false;
        }
        *replaced = Some(Instant::now());
        *current = None;
        true
    }

    /// The token that was asked for last.
    pub(super) fn known(&self) -> Option<HeaderValue> {
        self.current().map(|token| token.header.clone())
    }

    fn current(&self) -> Option<Arc<Token>> {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One caller asks, the others wait for what it gets.
    async fn first(&self) -> Result<HeaderValue, String> {
        let arrived = Instant::now();
        let Ok(last) = timeout(PATIENCE, self.asking.lock()).await else {
            return Err(slow());
        };
        if let Some(token) = self.current().filter(|token| !is_past(token.expires)) {
            return Ok(token.header.clone());
        }
        if let Some((at, why)) = last.as_ref()
            && (*at >= arrived || at.elapsed() < PAUSE)
        {
            return Err(why.clone());
        }
        self.renew(last).await
    }

    async fn renew(
        &self,
        mut last: tokio::sync::MutexGuard<'_, Option<(Instant, String)>>,
    ) -> Result<HeaderValue, String> {
        let asked = Instant::now();
        let issued = timeout(PATIENCE, (self.ask)()).await;
        let token = issued
            .unwrap_or_else(|_| Err(slow()))
            .and_then(|issued| Token::new(&issued, asked));
        match token {
            Ok(token) => {
                let header = token.header.clone();
                *last = None;
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::new(token));
                Ok(header)
            }
            Err(why) => {
                *last = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }
}

impl Token {
    fn new(issued: &Issued, asked: Instant) -> Result<Self, String> {
        let bytes = issued.token.expose_secret().as_bytes().to_vec();
        let header = SecretValue::new(bytes).and_then(|value| value.header("Bearer "));
        Ok(Self {
            header: header.ok_or("the token server gave no token that a header can carry")?,
            ages: issued.lifetime.map(|life| {
                let spare = (life / 5).min(Duration::from_secs(300));
                asked + life - spare
            }),
            expires: issued.lifetime.map(|life| asked + life),
        })
    }
}

fn is_past(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| Instant::now() >= moment)
}

fn slow() -> String {
    format!("no token within {} s", PATIENCE.as_secs())
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Sends a request for a token (RFC 6749, 5.1). What a server says about a refusal
/// is not repeated: it may quote what it was sent.
pub(super) async fn fetch<C, B>(client: C, request: Request<Full<Bytes>>) -> Result<Issued, String>
where
    C: Service<Request<Full<Bytes>>, Response = http::Response<B>, Error = SendError>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let host = request.uri().host().unwrap_or_default().to_owned();
    let from = |why: &str| format!("no token from {host}: {why}");
    let answer = client.oneshot(request).await;
    let (head, body) = answer
        .map_err(|error| from(&error.to_string()))?
        .into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body
        .map_err(|_| from("its answer cannot be read to its end"))?
        .to_bytes();
    if head.status != StatusCode::OK {
        return Err(from(&format!("it answers {}", head.status)));
    }
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|_| from("its answer is not in the documented form"))?;
    let token = answer.access_token.filter(|token| !token.is_empty());
    Ok(Issued {
        token: token
            .ok_or_else(|| from("its answer holds no access_token"))?
            .into(),
        lifetime: answer
            .expires_in
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST)),
    })
}

/// The body of a form.
pub(super) fn form(fields: &[(&str, &str)]) -> Full<Bytes> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    Full::from(body.finish())
}
