//! The token of an upstream with `auth.mode: oauth2`: asked for once, kept, and
//! replaced before it expires or when the upstream refuses it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{HeaderValue, Uri};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use agentkube_plan::SecretEntry;

use super::UpstreamError;
use super::credential::Needle;
use super::grant::{self, Grant, Issued, NoToken, Style};
use crate::edge::collect;
use crate::source::SecretValue;
use crate::upstream::UpstreamClient;

/// How long a token is waited for: without one nothing else can begin.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody asks again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a second token that the upstream refused too is not replaced: it is
/// then not the token that is wrong.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Bytes of an answer of a token endpoint.
const MAX_ANSWER: usize = 64 * 1024;

/// Tokens that are still looked for in answers. Older ones have expired.
const REMEMBERED: usize = 16;

/// A token and how long it is good.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    asked: Instant,
    /// From here on a new one is fetched in the background.
    ages: Option<Instant>,
    expires: Option<Instant>,
    /// It was asked for because the one before was refused.
    is_second: bool,
    /// The upstream took it at least once.
    accepted: AtomicBool,
}

/// Where tokens come from. Clones share everything.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Source>);

struct Source {
    client: UpstreamClient,
    url: Uri,
    secret: SecretEntry,
    grant: Grant,
    patience: Duration,
    in_body: AtomicBool,
    current: ArcSwapOption<Token>,
    renewing: AtomicBool,
    /// Held while a token is asked for; when and how that failed the last time.
    asking: tokio::sync::Mutex<Option<(Instant, NoToken)>>,
    given: Mutex<VecDeque<Arc<Needle>>>,
}

impl Token {
    fn new(issued: &Issued, asked: Instant, is_second: bool) -> Option<Self> {
        let bytes = issued.token.expose_secret().as_bytes().to_vec();
        let expires = issued.lifetime.map(|life| asked + life);
        let ages = issued.lifetime.map(|life| {
            let spare = (life / 5).min(Duration::from_secs(60));
            asked + life - spare
        });
        Some(Self {
            header: SecretValue::new(bytes)?.header("Bearer ")?,
            asked,
            ages,
            expires,
            is_second,
            accepted: AtomicBool::new(false),
        })
    }

    /// The upstream took it.
    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    fn is_past(moment: Option<Instant>) -> bool {
        moment.is_some_and(|moment| Instant::now() >= moment)
    }
}

impl Tokens {
    pub(super) fn new(
        client: UpstreamClient,
        url: Uri,
        secret: SecretEntry,
        grant: Grant,
        patience: Duration,
    ) -> Self {
        Self(Arc::new(Source {
            client,
            url,
            secret,
            grant,
            patience,
            in_body: AtomicBool::new(false),
            current: ArcSwapOption::empty(),
            renewing: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
            given: Mutex::default(),
        }))
    }

    /// A token that is good now.
    pub(super) async fn token(&self) -> Result<Arc<Token>, UpstreamError> {
        if let Some(token) = self.0.usable(None) {
            if Token::is_past(token.ages) {
                self.renew_soon(&token);
            }
            return Ok(token);
        }
        self.0.ask(None, false).await
    }

    /// Another token than this one, which the upstream refused; `None` when
    /// another would not help.
    pub(super) async fn instead_of(
        &self,
        refused: &Arc<Token>,
    ) -> Result<Option<Arc<Token>>, UpstreamError> {
        let hopeless = refused.is_second
            && !refused.accepted.load(Ordering::Relaxed)
            && refused.asked.elapsed() < GIVEN_UP;
        if hopeless {
            return Ok(None);
        }
        self.0.ask(Some(refused), true).await.map(Some)
    }

    /// A message without any of the tokens.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let given = self.0.given().clone();
        given.iter().fold(text, |text, needle| needle.redact(text))
    }

    /// Asks for the next token while this one is still good. A failure shows
    /// when the old one has expired.
    fn renew_soon(&self, aging: &Arc<Token>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.0.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (source, aging) = (Arc::clone(&self.0), Arc::clone(aging));
        drop(runtime.spawn(async move {
            drop(source.ask(Some(&aging), false).await);
            source.renewing.store(false, Ordering::Release);
        }));
    }
}

impl Source {
    fn usable(&self, but: Option<&Arc<Token>>) -> Option<Arc<Token>> {
        let token = self.current.load_full()?;
        let other = but.is_none_or(|but| !Arc::ptr_eq(but, &token));
        (other && !Token::is_past(token.expires)).then_some(token)
    }

    /// Asks for a token. One caller asks, the others wait for what it gets.
    async fn ask(
        &self,
        instead_of: Option<&Arc<Token>>,
        refused: bool,
    ) -> Result<Arc<Token>, UpstreamError> {
        let arrived = Instant::now();
        let Ok(mut failed) = timeout(self.patience, self.asking.lock()).await else {
            return Err(self.error(NoToken::Slow(self.patience)));
        };
        if let Some(token) = self.usable(instead_of) {
            return Ok(token);
        }
        if let Some((at, reason)) = failed.as_ref()
            && (*at >= arrived || at.elapsed() < PAUSE)
        {
            return Err(self.error(reason.clone()));
        }
        let asked = Instant::now();
        let issued = timeout(self.patience, self.fetch()).await;
        let issued = issued.unwrap_or(Err(NoToken::Slow(self.patience)));
        let token = issued.and_then(|issued| {
            let token = Token::new(&issued, asked, refused).ok_or(NoToken::Garbled)?;
            self.remember(&issued);
            Ok(Arc::new(token))
        });
        match token {
            Ok(token) => {
                *failed = None;
                self.current.store(Some(Arc::clone(&token)));
                Ok(token)
            }
            Err(reason) => {
                *failed = Some((Instant::now(), reason.clone()));
                Err(self.error(reason))
            }
        }
    }

    /// Sends the secret in the header, and in the body to a server that does not
    /// take it there. What worked is tried first the next time.
    async fn fetch(&self) -> Result<Issued, NoToken> {
        let in_body = self.in_body.load(Ordering::Relaxed);
        let (first, second) = if in_body {
            (Style::Body, Style::Header)
        } else {
            (Style::Header, Style::Body)
        };
        let refused = match self.send(first).await {
            Err(reason) if reason.may_be_the_style() => reason,
            other => return other,
        };
        let issued = self.send(second).await.map_err(|_| refused)?;
        self.in_body.store(!in_body, Ordering::Relaxed);
        Ok(issued)
    }

    async fn send(&self, style: Style) -> Result<Issued, NoToken> {
        let request = self.grant.request(&self.url, style);
        let (head, body) = self.client.send(request).await?.into_parts();
        let body = collect(body, MAX_ANSWER).await;
        grant::read(head.status, &body.map_err(|_| NoToken::Cut)?)
    }

    fn remember(&self, issued: &Issued) {
        let Some(needle) = Needle::of(issued.token.expose_secret()) else {
            return;
        };
        let mut given = self.given();
        given.push_front(Arc::new(needle));
        given.truncate(REMEMBERED);
    }

    fn given(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Needle>>> {
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
