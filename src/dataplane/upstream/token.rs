//! Credentials that another server gives for a while: asked for once, kept, and
//! replaced before they expire or when they are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::apart::{Left, apart};

/// How long nobody asks again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a second token that was refused too is not replaced: it is then not
/// the token that is wrong.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// No token lives longer, for us: more would only overflow clocks.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Asks for tokens.
pub(crate) trait Fetch: Send + Sync + 'static {
    /// What is given, as it is used.
    type Value: Send + Sync + 'static;
    /// Why there is nothing. Texts hold no secret.
    type Error: Clone + Send + Sync + 'static;

    /// Asks for one, and for how long it is good; `None`: nobody says.
    fn fetch(
        &self,
    ) -> impl Future<Output = Result<(Self::Value, Option<Duration>), Self::Error>> + Send;

    /// No answer within this time.
    fn slow(&self, patience: Duration) -> Self::Error;
}

/// A token and how long it is good.
#[derive(Debug)]
pub(crate) struct Token<V> {
    pub(crate) value: V,
    asked: Instant,
    /// From here on a new one is fetched in the background.
    ages: Option<Instant>,
    expires: Option<Instant>,
    /// It was asked for because the one before was refused.
    is_second: bool,
    /// It was taken at least once.
    accepted: AtomicBool,
}

/// Where tokens come from. Clones share everything.
pub(crate) struct Tokens<F: Fetch>(Arc<Source<F>>);

struct Source<F: Fetch> {
    fetch: F,
    patience: Duration,
    current: ArcSwapOption<Token<F::Value>>,
    renewing: AtomicBool,
    /// Held while a token is asked for; when and how that failed the last time.
    asking: tokio::sync::Mutex<Option<(Instant, F::Error)>>,
}

impl<V> Token<V> {
    fn new(value: V, lifetime: Option<Duration>, asked: Instant, is_second: bool) -> Self {
        let lifetime = lifetime.map(|life| life.min(LONGEST));
        Self {
            value,
            asked,
            ages: lifetime.map(|life| {
                let spare = (life / 5).min(Duration::from_secs(60));
                asked + life - spare
            }),
            expires: lifetime.map(|life| asked + life),
            is_second,
            accepted: AtomicBool::new(false),
        }
    }

    /// It was taken.
    pub(crate) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }
}

fn is_past(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| Instant::now() >= moment)
}

impl<F: Fetch> Clone for Tokens<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fetch> Tokens<F> {
    pub(crate) fn new(fetch: F, patience: Duration) -> Self {
        Self(Arc::new(Source {
            fetch,
            patience,
            current: ArcSwapOption::empty(),
            renewing: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    /// What asks.
    pub(crate) fn source(&self) -> &F {
        &self.0.fetch
    }

    /// The one that was given last, good or not.
    pub(crate) fn known(&self) -> Option<Arc<Token<F::Value>>> {
        self.0.current.load_full()
    }

    /// A token that is good now.
    pub(crate) async fn token(&self) -> Result<Arc<Token<F::Value>>, F::Error> {
        if let Some(token) = self.0.usable(None) {
            if is_past(token.ages) {
                self.renew_soon(&token);
            }
            return Ok(token);
        }
        self.ask(None, false).await
    }

    /// Another token than this one, which was refused; `None` when another would
    /// not help.
    pub(crate) async fn instead_of(
        &self,
        refused: &Arc<Token<F::Value>>,
    ) -> Result<Option<Arc<Token<F::Value>>>, F::Error> {
        let hopeless = refused.is_second
            && !refused.accepted.load(Ordering::Relaxed)
            && refused.asked.elapsed() < GIVEN_UP;
        if hopeless {
            return Ok(None);
        }
        self.ask(Some(Arc::clone(refused)), true).await.map(Some)
    }

    /// Others may come to wait for what this gets, so it does not depend on who asks.
    async fn ask(
        &self,
        instead_of: Option<Arc<Token<F::Value>>>,
        refused: bool,
    ) -> Result<Arc<Token<F::Value>>, F::Error> {
        let source = Arc::clone(&self.0);
        let patience = source.patience;
        let asking = async move { source.ask(instead_of.as_ref(), refused).await };
        let outcome = apart(Left::Ends(patience), asking).await;
        outcome.unwrap_or_else(|| Err(self.0.fetch.slow(patience)))
    }

    /// Asks for the next token while this one is still good. A failure shows
    /// when the old one has expired.
    fn renew_soon(&self, aging: &Arc<Token<F::Value>>) {
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

impl<F: Fetch> Source<F> {
    fn usable(&self, but: Option<&Arc<Token<F::Value>>>) -> Option<Arc<Token<F::Value>>> {
        let token = self.current.load_full()?;
        let other = but.is_none_or(|but| !Arc::ptr_eq(but, &token));
        (other && !is_past(token.expires)).then_some(token)
    }

    /// Asks for a token. One caller asks, the others wait for what it gets.
    async fn ask(
        &self,
        instead_of: Option<&Arc<Token<F::Value>>>,
        refused: bool,
    ) -> Result<Arc<Token<F::Value>>, F::Error> {
        let arrived = Instant::now();
        let Ok(mut failed) = timeout(self.patience, self.asking.lock()).await else {
            return Err(self.fetch.slow(self.patience));
        };
        if let Some(token) = self.usable(instead_of) {
            return Ok(token);
        }
        if let Some((at, reason)) = failed.as_ref()
            && (*at >= arrived || at.elapsed() < PAUSE)
        {
            return Err(reason.clone());
        }
        let asked = Instant::now();
        let given = timeout(self.patience, self.fetch.fetch()).await;
        let given = given.unwrap_or_else(|_| Err(self.fetch.slow(self.patience)));
        match given {
            Ok((value, lifetime)) => {
                let token = Arc::new(Token::new(value, lifetime, asked, refused));
                *failed = None;
                self.current.store(Some(Arc::clone(&token)));
                Ok(token)
            }
            Err(reason) => {
                *failed = Some((Instant::now(), reason.clone()));
                Err(reason)
            }
        }
    }
}

impl<F: Fetch> std::fmt::Debug for Tokens<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Gives numbers, and nothing when it is told so.
    #[derive(Default)]
    struct Numbers {
        asked: AtomicU32,
        refuses: AtomicBool,
    }

    impl Fetch for Numbers {
        type Value = u32;
        type Error = &'static str;

        async fn fetch(&self) -> Result<(u32, Option<Duration>), &'static str> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.refuses.load(Ordering::SeqCst) {
                return Err("refused");
            }
            Ok((number, Some(Duration::from_secs(100))))
        }

        fn slow(&self, _: Duration) -> &'static str {
            "slow"
        }
    }

    fn mk_tokens() -> Tokens<Numbers> {
        Tokens::new(Numbers::default(), Duration::from_secs(5))
    }

    fn asked(tokens: &Tokens<Numbers>) -> u32 {
        tokens.source().asked.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn one_asks_and_all_get_it() {
        let tokens = mk_tokens();
        let (a, b) = tokio::join!(tokens.token(), tokens.token());
        assert_eq!((a.unwrap().value, b.unwrap().value), (0, 0));
        assert_eq!(tokens.token().await.unwrap().value, 0);
        assert_eq!(asked(&tokens), 1);
    }

    #[tokio::test]
    async fn who_asks_and_goes_no_further_holds_up_nobody() {
        let tokens = mk_tokens();
        let mut idle = Box::pin(tokens.token());
        assert!(futures::poll!(&mut idle).is_pending());
        assert_eq!(tokens.token().await.unwrap().value, 0);
        drop(idle);
        assert_eq!(asked(&tokens), 1);
    }

    #[tokio::test]
    async fn an_aging_token_serves_while_the_next_is_asked_for() {
        let tokens = mk_tokens();
        tokens.token().await.unwrap();
        let mut aging = Token::new(7, None, Instant::now(), false);
        aging.ages = Some(Instant::now());
        tokens.0.current.store(Some(Arc::new(aging)));
        assert_eq!(tokens.token().await.unwrap().value, 7);
        assert_eq!(tokens.token().await.unwrap().value, 7);
        while tokens.token().await.unwrap().value == 7 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked(&tokens), 2);
    }

    #[tokio::test]
    async fn an_expired_token_is_never_used() {
        let tokens = mk_tokens();
        let expired = Token::new(7, Some(Duration::ZERO), Instant::now(), false);
        tokens.0.current.store(Some(Arc::new(expired)));
        assert_eq!(tokens.token().await.unwrap().value, 0);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_nobody_asks_at_once() {
        let tokens = mk_tokens();
        tokens.source().refuses.store(true, Ordering::SeqCst);
        let (a, b) = tokio::join!(tokens.token(), tokens.token());
        assert_eq!((a.unwrap_err(), b.unwrap_err()), ("refused", "refused"));
        assert_eq!(tokens.token().await.unwrap_err(), "refused");
        assert_eq!(asked(&tokens), 1);
    }

    #[tokio::test]
    async fn a_second_token_that_is_refused_too_is_kept() {
        let tokens = mk_tokens();
        let first = tokens.token().await.unwrap();
        let second = tokens.instead_of(&first).await.unwrap().unwrap();
        assert_eq!(second.value, 1);
        assert!(tokens.instead_of(&second).await.unwrap().is_none());
        // Whoever still has the first one gets what is there.
        let again = tokens.instead_of(&first).await.unwrap().unwrap();
        assert_eq!(again.value, 1);
        second.accept();
        assert!(tokens.instead_of(&second).await.unwrap().is_some());
        assert_eq!(asked(&tokens), 3);
    }
}
