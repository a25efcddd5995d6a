//! A legacy upstream's session that belongs to one client's session.
//!
//! It declares what that client can do, and holds what that client does: its
//! log level, its subscriptions, its tasks. So nothing has to be told apart in
//! it, and ids and progress tokens pass as the client spelled them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_mcp::session::{AskToken, Fingerprint, UpstreamToken};
use agentkube_mcp::{Id, Kind, MAX_DEPTH, Message, error, json, message};
use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use super::clock::Clock;
use super::exchange::Outgoing;
use super::lane::Session;
use super::{Events, Lane, Upstream, UpstreamError, catalogue};
use crate::apart::{Left, apart};
use crate::mcp_proxy::party::Party;
use crate::mcp_proxy::sessions::Live;

/// Resources that a client may follow in one session with an upstream.
pub(in crate::mcp_proxy) const MAX_FOLLOWED: usize = 1_000;

/// What a client follows, or no longer, once the upstream agreed to it.
#[derive(Debug)]
pub(in crate::mcp_proxy) struct Follow {
    link: Arc<Link>,
    uri: String,
    follows: bool,
}

/// How the ids of our own requests in a client's session begin.
const OURS: &str = "agentkube-";

/// True for the id of a request of our own, of this replica or of another.
pub(in crate::mcp_proxy) fn is_ours(id: &Id<'_>) -> bool {
    let text = json::string(id.as_json());
    let rest = text.as_deref().and_then(|text| text.strip_prefix(OURS));
    let parts = rest.and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(salt, number)| {
        let is_hex = salt.bytes().all(|byte| byte.is_ascii_hexdigit());
        salt.len() == 8 && is_hex && number.parse::<u64>().is_ok()
    })
}

/// The place of such a session, open or not.
#[derive(Debug, Default)]
pub(in crate::mcp_proxy) struct Link {
    session: ArcSwapOption<Session>,
    opening: tokio::sync::Mutex<()>,
    subscriptions: Mutex<BTreeSet<String>>,
    /// Says that those changed.
    changed: watch::Sender<()>,
}

impl Link {
    /// The session that an id carried.
    pub(in crate::mcp_proxy) fn sealed(token: &UpstreamToken) -> Self {
        let link = Self::default();
        link.session.store(Some(Arc::new(Session::sealed(token))));
        link
    }

    /// What an id carries of it; nothing when the upstream keeps no session.
    pub(in crate::mcp_proxy) fn token(&self, upstream: Fingerprint) -> Option<UpstreamToken> {
        let session = self.session.load_full()?;
        session.has_id().then(|| session.token(upstream))
    }

    /// The upstream does not know it any more.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        let current = self.session.load();
        if current
            .as_ref()
            .is_some_and(|open| Arc::ptr_eq(open, session))
        {
            self.session.store(None);
        }
    }

    pub(super) fn lane(&self) -> Option<Lane> {
        self.session.load_full().map(Lane::Legacy)
    }

    /// Tells when what the client follows has changed.
    pub(in crate::mcp_proxy) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The resources that the client follows.
    pub(in crate::mcp_proxy) fn subscriptions(&self) -> Vec<String> {
        let all = self.subscriptions.lock();
        all.unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// False when the client follows as many other resources as it may.
    pub(in crate::mcp_proxy) fn may_follow(&self, uri: &str) -> bool {
        let all = self.subscriptions.lock();
        let all = all.unwrap_or_else(PoisonError::into_inner);
        all.len() < MAX_FOLLOWED || all.contains(uri)
    }
}

impl Follow {
    pub(in crate::mcp_proxy) fn new(link: Arc<Link>, uri: String, follows: bool) -> Self {
        Self { link, uri, follows }
    }

    /// The upstream does as it was asked: it is asked so again in a new session.
    pub(in crate::mcp_proxy) fn agreed(&self) {
        let all = self.link.subscriptions.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        let changed = if self.follows {
            all.len() < MAX_FOLLOWED && all.insert(self.uri.clone())
        } else {
            all.remove(&self.uri)
        };
        if changed {
            self.link.changed.send_replace(());
        }
    }
}

impl Upstream {
    /// The lane of a client's own session, opened when it is not.
    pub(super) async fn own_lane(
        self: &Arc<Self>,
        live: &Arc<Live>,
        clock: &Clock,
    ) -> Result<Lane, UpstreamError> {
        if let Some(lane) = live.link(self.fingerprint).lane() {
            return Ok(lane);
        }
        let (upstream, live) = (Arc::clone(self), Arc::clone(live));
        let clock = clock.clone();
        let opening = Box::pin(async move { upstream.open_own(&live, &clock).await });
        let outcome = apart(Left::Ends(catalogue::PATIENCE), opening).await;
        outcome.unwrap_or(Err(UpstreamError::Cut))
    }

    async fn open_own(&self, live: &Live, clock: &Clock) -> Result<Lane, UpstreamError> {
        let link = live.link(self.fingerprint);
        let _opening = clock.wait(link.opening.lock()).await?;
        if let Some(lane) = link.lane() {
            return Ok(lane);
        }
        let session = self
            .initialize(clock, live.version, &live.capabilities)
            .await?;
        link.session.store(Some(Arc::clone(&session)));
        if live.is_over() {
            // Who ended it did not know of this.
            self.end_link(&link);
            return Err(UpstreamError::SessionLost);
        }
        let lane = Lane::Legacy(session);
        self.restore(live, &link, &lane, clock).await;
        Ok(lane)
    }

    /// Says again in a new session what the client had said in the one before.
    async fn restore(&self, live: &Live, link: &Link, lane: &Lane, clock: &Clock) {
        let level = live
            .level()
            .map(|level| ("logging/setLevel", "level", level));
        let followed = link.subscriptions().into_iter();
        let followed = followed.map(|uri| ("resources/subscribe", "uri", uri));
        for (method, key, value) in level.into_iter().chain(followed) {
            self.say(lane, (method, key, &value), clock).await;
        }
    }

    /// Says what a session is to do, in one parameter.
    pub(super) async fn say(
        &self,
        lane: &Lane,
        (method, key, value): (&str, &str, &str),
        clock: &Clock,
    ) {
        let params = format!("{{\"{key}\":{}}}", json::quote(value));
        let id = self.own_id();
        let outgoing = Outgoing::plain(method, message::request(&id, method, &params));
        let said = async {
            let answered = self.wire.post(lane, &outgoing, clock).await?;
            self.settle(lane, &id, answered.answer).await
        };
        if let Err(error) = said.await {
            debug!(upstream = %self.name, method, %error, "not said");
        }
    }

    /// An id of ours that no client uses in its session.
    pub(super) fn own_id(&self) -> Id<'static> {
        let text = format!("\"{OURS}{}-{}\"", self.salt, self.next_id());
        Id::parse(&text).map_or_else(|| Id::from(self.next_id()), Id::into_owned)
    }

    /// Sends a client's message that has no answer in its own session, in the
    /// background. Without a session there is nobody to tell.
    pub(in crate::mcp_proxy) fn tell(&self, live: &Live, method: &str, text: String) {
        if let Some(lane) = live.linked(self.fingerprint).and_then(|link| link.lane()) {
            self.post_soon(lane, Outgoing::plain(method, text));
        }
    }

    /// Says something in a client's session and waits until it is accepted;
    /// `params` is JSON text.
    pub(in crate::mcp_proxy) async fn put(
        self: &Arc<Self>,
        party: &Party,
        method: &'static str,
        params: &str,
    ) -> Result<(), UpstreamError> {
        self.put_on(party, method, params).await.map(drop)
    }

    /// As [`Upstream::put`]; returns the lane on which it was said.
    pub(super) async fn put_on(
        self: &Arc<Self>,
        party: &Party,
        method: &'static str,
        params: &str,
    ) -> Result<Lane, UpstreamError> {
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let answer = self.question(party, method, &clock, |_| params.to_owned());
        let (lane, answer) = answer.await?;
        let message = Message::decode(&answer, MAX_DEPTH)
            .map_err(|error| UpstreamError::Garbled(error.to_string()))?;
        match message.kind() {
            Kind::Error { error: text, .. } => Err(UpstreamError::Rpc {
                method,
                code: error::code_of(text).unwrap_or_default(),
            }),
            _ => Ok(lane),
        }
    }

    /// Delivers a client's answer to a question of this upstream.
    pub(in crate::mcp_proxy) async fn deliver(
        &self,
        ask: &AskToken,
        text: String,
    ) -> Result<(), UpstreamError> {
        let lane = Lane::Legacy(Arc::new(Session::sealed(&ask.from)));
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        self.wire
            .post(&lane, &Outgoing::plain("", text), &clock)
            .await
            .map(drop)
    }

    /// The upstream's own stream of a client's session, from where the client
    /// last heard it. `None` when it has none.
    pub(in crate::mcp_proxy) async fn stream(
        self: &Arc<Self>,
        live: &Arc<Live>,
        after: Option<&HeaderValue>,
    ) -> Result<Option<(Lane, Events)>, UpstreamError> {
        self.wire.credential.check()?;
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let party = Party::Session(Arc::clone(live));
        let lane = self.lane(&party, &clock).await?;
        let Lane::Legacy(session) = &lane else {
            return Ok(None);
        };
        match self.wire.get(&lane, after, &clock).await {
            Err(UpstreamError::SessionLost) => {
                live.link(self.fingerprint).forget(session);
                Err(UpstreamError::SessionLost)
            }
            events => Ok(events?.map(|events| (lane, events))),
        }
    }

    /// Ends a client's own session, in the background.
    pub(in crate::mcp_proxy) fn end_link(&self, link: &Link) {
        // Taken out, so that it is ended once.
        let session = link.session.swap(None);
        let Some(session) = session.filter(|session| session.has_id()) else {
            return;
        };
        let lane = Lane::Legacy(session);
        let wire = self.wire.clone();
        self.spawn(async move {
            // 405 and silence are fine: the server keeps its sessions as it likes.
            drop(timeout(catalogue::PATIENCE, wire.end(&lane)).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_follows_so_many_resources_and_no_more() {
        let link = Arc::new(Link::default());
        let follow = |at: usize, follows| {
            Follow::new(Arc::clone(&link), format!("x:{at}"), follows).agreed();
        };
        (0..=MAX_FOLLOWED).for_each(|at| follow(at, true));
        assert_eq!(link.subscriptions().len(), MAX_FOLLOWED);
        assert!(link.may_follow("x:7") && !link.may_follow("x:new"));
        follow(7, false);
        assert!(link.may_follow("x:new"));
    }

    #[test]
    fn ids_of_ours_are_told_from_those_of_clients() {
        for (id, ours) in [
            ("\"agentkube-0123abcd-7\"", true),
            ("\"agentkube-0123abcd-x\"", false),
            ("\"agentkube-7\"", false),
            ("7", false),
            ("\"client-1\"", false),
        ] {
            assert_eq!(is_ours(&Id::parse(id).unwrap()), ours, "{id}");
        }
    }
}
