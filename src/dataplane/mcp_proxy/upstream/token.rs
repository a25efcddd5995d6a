//! The token of an upstream with `auth.mode: oauth2`, by the client-credentials
//! grant.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Uri};
use secrecy::ExposeSecret;

use agentkube_plan::SecretEntry;

use super::UpstreamError;
use super::credential::Needle;
use super::grant::{Grant, Style, may_be_the_style};
use crate::edge::collect;
use crate::source::SecretValue;
use crate::upstream::{self, Fetch, Issued, NoToken, UpstreamClient, read_token};

/// How long a token is waited for: without one nothing else can begin.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer of a token endpoint.
const MAX_ANSWER: usize = 64 * 1024;

/// Tokens that are still looked for in answers. Older ones have expired.
const REMEMBERED: usize = 16;

/// A token, as the header that carries it.
pub(super) type Token = upstream::Token<HeaderValue>;

/// Where tokens come from. Clones share everything.
#[derive(Clone)]
pub(super) struct Tokens(upstream::Tokens<Source>);

struct Source {
    client: UpstreamClient,
    url: Uri,
    secret: SecretEntry,
    grant: Grant,
    in_body: AtomicBool,
    given: Mutex<VecDeque<Arc<Needle>>>,
}

impl Tokens {
    pub(super) fn new(
        client: UpstreamClient,
        url: Uri,
        secret: SecretEntry,
        grant: Grant,
        patience: Duration,
    ) -> Self {
        let source = Source {
            client,
            url,
            secret,
            grant,
            in_body: AtomicBool::new(false),
            given: Mutex::default(),
        };
        Self(upstream::Tokens::new(source, patience))
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<Arc<Token>, UpstreamError> {
        let token = self.0.token().await;
        token.map_err(|reason| self.0.source().error(reason))
    }

    /// Another token than this one, which the upstream refused; `None` when
    /// another would not help.
    pub(super) async fn instead_of(
        &self,
        refused: &Arc<Token>,
    ) -> Result<Option<Arc<Token>>, UpstreamError> {
        let token = self.0.instead_of(refused).await;
        token.map_err(|reason| self.0.source().error(reason))
    }

    /// A message without any of the tokens.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let given = self.0.source().given().clone();
        given.iter().fold(text, |text, needle| needle.redact(text))
    }
}

impl Fetch for Source {
    type Value = HeaderValue;
    type Error = NoToken;

    /// Sends the secret in the header, and in the body to a server that does not
    /// take it there. What worked is tried first the next time.
    async fn fetch(&self) -> Result<(HeaderValue, Option<Duration>), NoToken> {
        let in_body = self.in_body.load(Ordering::Relaxed);
        let (first, second) = if in_body {
            (Style::Body, Style::Header)
        } else {
            (Style::Header, Style::Body)
        };
        let refused = match self.send(first).await {
            Err(reason) if may_be_the_style(&reason) => reason,
            other => return self.usable(&other?),
        };
        let issued = self.send(second).await.map_err(|_| refused)?;
        self.in_body.store(!in_body, Ordering::Relaxed);
        self.usable(&issued)
    }

    fn slow(&self, patience: Duration) -> NoToken {
        NoToken::Slow(patience)
    }
}

impl Source {
    async fn send(&self, style: Style) -> Result<Issued, NoToken> {
        let request = self.grant.request(&self.url, style);
        let (head, body) = self.client.send(request).await?.into_parts();
        let body = collect(body, MAX_ANSWER).await;
        read_token(head.status, &body.map_err(|_| NoToken::Cut)?)
    }

    fn usable(&self, issued: &Issued) -> Result<(HeaderValue, Option<Duration>), NoToken> {
        let bytes = issued.token.expose_secret().as_bytes().to_vec();
        let header = SecretValue::new(bytes).and_then(|value| value.header("Bearer "));
        let header = header.ok_or(NoToken::Garbled)?;
        if let Some(needle) = Needle::of(issued.token.expose_secret()) {
            let mut given = self.given();
            given.push_front(Arc::new(needle));
            given.truncate(REMEMBERED);
        }
        Ok((header, issued.lifetime))
    }

    fn given(&self) -> MutexGuard<'_, VecDeque<Arc<Needle>>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, reason: NoToken) -> UpstreamError {
        let (scheme, authority) = (self.url.scheme_str(), self.url.authority());
        UpstreamError::NoToken {
            // Without its query, in which people put what is nobody's business.
            url: format!(
                "{}://{}{}",
                scheme.unwrap_or_default(),
                authority.map_or("", |authority| authority.as_str()),
                self.url.path()
            ),
            secret: self.secret.clone(),
            reason,
        }
    }
}
