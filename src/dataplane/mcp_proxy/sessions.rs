//! The sessions of legacy clients.
//!
//! Guarantees: the id of a session holds what any replica needs to serve it, so
//! a session that this replica never saw is as good as one that it opened. What
//! is kept here can be lost: it is a log level, what is followed, and sessions that
//! had no place in the id.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agentkube_mcp::Version;
use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::{Fingerprint, Home, SessionTag, SessionToken};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::calls::Call;
use super::upstream::Link;

/// How long an id is good. The key before the current one is kept longer.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Ended sessions that are remembered, so that their ids are refused: more than
/// any replica ends while a client still tries.
const MAX_ENDED: usize = 10_000;

/// The sessions that this replica knows.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: Mutex<HashMap<SessionTag, Arc<Live>>>,
    ended: Mutex<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    tags: HashSet<SessionTag>,
    order: VecDeque<SessionTag>,
}

/// What this replica knows of one session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) tag: SessionTag,
    /// The object and the client that it belongs to.
    owner: String,
    opened: u64,
    /// What the client speaks, and so every session that is opened for it.
    pub(super) version: Version,
    /// What the client can do, as JSON text.
    pub(super) capabilities: Arc<str>,
    links: Mutex<HashMap<Fingerprint, Arc<Link>>>,
    used: Mutex<Instant>,
    level: Mutex<Option<Level>>,
    calls: Mutex<HashMap<String, Under>>,
    over: CancellationToken,
    /// No other replica can serve it.
    bound: AtomicBool,
    on_stream: AtomicBool,
    stream: Mutex<Option<Open>>,
}

/// A log level, and when it was chosen: milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Level {
    pub(super) level: String,
    pub(super) at: u64,
}

/// A session's stream.
#[derive(Debug)]
struct Open {
    /// Milliseconds since 1970.
    at: u64,
    replaced: CancellationToken,
    place: Weak<Call>,
}

/// A session's stream as whoever opens it has it.
#[derive(Debug)]
pub(super) struct Taken {
    /// When that was, in milliseconds since 1970.
    pub(super) at: u64,
    /// Ends it.
    pub(super) replaced: CancellationToken,
    pub(super) place: Arc<Call>,
}

/// A call that is under way in a session.
#[derive(Clone, Debug)]
pub(super) struct Under {
    pub(super) upstream: Fingerprint,
    pub(super) cancelled: CancellationToken,
}

/// Forgets a call when it ends.
#[derive(Debug)]
pub(super) struct UnderWay {
    live: Arc<Live>,
    id: String,
    pub(super) cancelled: CancellationToken,
    /// A part of a call is forgotten with the whole.
    is_part: bool,
}

/// Whose session it is: an object's clients do not open those of another's.
pub(super) fn owner(object: &agentkube_plan::ObjectName, client: &str) -> String {
    format!("{object}\0{client}")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    since_1970().as_secs()
}

fn now_in_milliseconds() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

impl Sessions {
    /// A new session; `None` when there are so many already.
    pub(super) fn begin(
        &self,
        limit: u32,
        owner: String,
        version: Version,
        capabilities: &str,
    ) -> Option<Arc<Live>> {
        let live = Arc::new(Live::new(
            &SessionToken {
                tag: random()?,
                opened: now(),
                version,
                capabilities: capabilities.to_owned(),
                home: None,
                upstreams: Vec::new(),
            },
            owner,
        ));
        let mut all = locked(&self.live);
        (all.len() < limit as usize).then(|| {
            all.insert(live.tag, Arc::clone(&live));
            live
        })
    }

    /// What an id says; `None` when it is none of this owner's, too old, or its
    /// session was ended here.
    pub(super) fn open(&self, sealer: &Sealer, owner: &str, id: &str) -> Option<SessionToken> {
        let plain = sealer.open(Purpose::Session, owner, id)?;
        let token = SessionToken::decode(&plain)?;
        let old = now().saturating_sub(token.opened) > LIFETIME.as_secs();
        let ended = old || locked(&self.ended).tags.contains(&token.tag);
        (!ended).then_some(token)
    }

    /// True for the id of a session of this owner that was ended here.
    pub(super) fn has_ended(&self, sealer: &Sealer, owner: &str, id: &str) -> bool {
        let plain = sealer.open(Purpose::Session, owner, id);
        let token = plain.and_then(|plain| SessionToken::decode(&plain));
        token.is_some_and(|token| locked(&self.ended).tags.contains(&token.tag))
    }

    /// The session of an id that was opened.
    pub(super) fn find(&self, token: &SessionToken, owner: &str, limit: u32) -> Arc<Live> {
        // Above the bound it is served all the same, and not remembered.
        self.remembered(token, owner, limit)
            .unwrap_or_else(|| Arc::new(Live::new(token, owner.to_owned())))
    }

    /// The same; `None` when there is no place for one more.
    pub(super) fn remembered(
        &self,
        token: &SessionToken,
        owner: &str,
        limit: u32,
    ) -> Option<Arc<Live>> {
        let mut all = locked(&self.live);
        if let Some(live) = all.get(&token.tag) {
            *locked(&live.used) = Instant::now();
            return Some(Arc::clone(live));
        }
        (all.len() < limit as usize).then(|| {
            let live = Arc::new(Live::new(token, owner.to_owned()));
            all.insert(live.tag, Arc::clone(&live));
            live
        })
    }

    /// The session of an id that was opened, when it is known here.
    pub(super) fn known(&self, token: &SessionToken) -> Option<Arc<Live>> {
        locked(&self.live).get(&token.tag).map(Arc::clone)
    }

    /// All that are known here.
    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        locked(&self.live).values().map(Arc::clone).collect()
    }

    /// The id of a session, with the upstreams' sessions that are open now.
    pub(super) fn seal(&self, sealer: &Sealer, live: &Live, home: Option<Home>) -> Option<String> {
        let mut upstreams: Vec<_> = locked(&live.links)
            .iter()
            .filter_map(|(upstream, link)| link.token(*upstream))
            .collect();
        upstreams.sort_by_key(|upstream| upstream.upstream);
        let token = SessionToken {
            tag: live.tag,
            opened: live.opened,
            version: live.version,
            capabilities: live.capabilities.to_string(),
            home,
            upstreams,
        };
        sealer.seal(Purpose::Session, &live.owner, random()?, &token.encode())
    }

    /// Ends a session: its id is refused from now on, its streams end.
    pub(super) fn end(&self, live: &Live) {
        live.over.cancel();
        self.refuse(live.tag);
    }

    /// Ends the session of an id that was opened; answers with what was known of it
    /// here.
    pub(super) fn end_of(&self, token: &SessionToken) -> Option<Arc<Live>> {
        let live = self.known(token);
        match &live {
            Some(live) => self.end(live),
            None => self.refuse(token.tag),
        }
        live
    }

    fn refuse(&self, tag: SessionTag) {
        locked(&self.live).remove(&tag);
        let mut ended = locked(&self.ended);
        if ended.tags.insert(tag) {
            ended.order.push_back(tag);
        }
        if ended.order.len() > MAX_ENDED
            && let Some(oldest) = ended.order.pop_front()
        {
            ended.tags.remove(&oldest);
        }
    }

    /// Ends a session whose id nobody was told.
    pub(super) fn end_untold(&self, live: &Live) {
        locked(&self.live).remove(&live.tag);
        live.over.cancel();
    }

    /// Takes the sessions with this upstream out of those of the clients.
    pub(super) fn unlink(&self, upstream: Fingerprint) -> Vec<Arc<Link>> {
        let all = locked(&self.live);
        let links = all.values();
        links
            .filter_map(|live| locked(&live.links).remove(&upstream))
            .collect()
    }

    /// Takes out the sessions that nobody used for so long.
    pub(super) fn sweep(&self, idle: Duration) -> Vec<Arc<Live>> {
        let mut all = locked(&self.live);
        let idle: Vec<_> = all
            .values()
            // A call and an open stream hold the session.
            .filter(|live| Arc::strong_count(live) == 1 && live.is_idle(idle))
            .map(Arc::clone)
            .collect();
        for live in &idle {
            all.remove(&live.tag);
        }
        idle
    }
}

impl Live {
    fn new(token: &SessionToken, owner: String) -> Self {
        let links = token.upstreams.iter();
        let links = links.map(|upstream| (upstream.upstream, Arc::new(Link::sealed(upstream))));
        Self {
            tag: token.tag,
            owner,
            opened: token.opened,
            version: token.version,
            capabilities: token.capabilities.as_str().into(),
            links: Mutex::new(links.collect()),
            used: Mutex::new(Instant::now()),
            level: Mutex::default(),
            calls: Mutex::default(),
            over: CancellationToken::new(),
            bound: AtomicBool::new(token.home.is_some()),
            on_stream: AtomicBool::new(false),
            stream: Mutex::default(),
        }
    }

    fn is_idle(&self, idle: Duration) -> bool {
        locked(&self.used).elapsed() > idle
    }

    /// The object and the client that it belongs to.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// The client that it belongs to.
    pub(super) fn client(&self) -> &str {
        let parts = self.owner.split_once('\0');
        parts.map_or("", |(_, client)| client)
    }

    /// What binds the questions of upstreams to this session.
    pub(super) fn scope(&self) -> String {
        format!("{}\0{}", self.owner, hex::encode(self.tag))
    }

    /// The session with this upstream, or the place for one.
    pub(super) fn link(&self, upstream: Fingerprint) -> Arc<Link> {
        Arc::clone(locked(&self.links).entry(upstream).or_default())
    }

    /// The session with this upstream, when there was one.
    pub(super) fn linked(&self, upstream: Fingerprint) -> Option<Arc<Link>> {
        locked(&self.links).get(&upstream).map(Arc::clone)
    }

    /// The log level that the client chose.
    pub(super) fn level(&self) -> Option<String> {
        locked(&self.level).as_ref().map(|it| it.level.clone())
    }

    /// The same, and when.
    pub(super) fn chosen_level(&self) -> Option<Level> {
        locked(&self.level).clone()
    }

    /// The client chooses a log level here: after every one that is known, whatever the
    /// clocks say.
    pub(super) fn choose_level_now(&self, level: String) -> Level {
        let mut chosen = locked(&self.level);
        let after = chosen.as_ref().map_or(0, |it| it.at.saturating_add(1));
        let at = now_in_milliseconds().max(after);
        chosen.insert(Level { level, at }).clone()
    }

    /// The client chose a log level, here or at another replica; the last one counts.
    pub(super) fn choose_level(&self, chosen: Level) {
        let mut level = locked(&self.level);
        if level.as_ref().is_none_or(|before| before.at <= chosen.at) {
            *level = Some(chosen);
        }
    }

    /// Keeps a call in mind, so that it can be cancelled. What begins under the id of
    /// a call that is under way is a part of it.
    pub(super) fn begin(self: &Arc<Self>, id: &str, upstream: Fingerprint) -> UnderWay {
        let mut calls = locked(&self.calls);
        let known = calls.get(id).map(|under| under.cancelled.clone());
        let is_part = known.is_some();
        let cancelled = known.unwrap_or_default();
        if !is_part {
            let under = Under {
                upstream,
                cancelled: cancelled.clone(),
            };
            calls.insert(id.to_owned(), under);
        }
        UnderWay {
            live: Arc::clone(self),
            id: id.to_owned(),
            cancelled,
            is_part,
        }
    }

    /// The call of this id, when it is under way here.
    pub(super) fn call(&self, id: &str) -> Option<Under> {
        locked(&self.calls).get(id).cloned()
    }

    /// It lives in this replica.
    pub(super) fn keep_here(&self) {
        self.bound.store(true, Ordering::Relaxed);
    }

    /// True when no other replica can serve it.
    pub(super) fn is_bound(&self) -> bool {
        self.bound.load(Ordering::Relaxed)
    }

    /// It lives on one stream, which cannot be resumed: so it is in the legacy
    /// HTTP+SSE transport.
    pub(super) fn keep_to_stream(&self) {
        self.keep_here();
        self.on_stream.store(true, Ordering::Relaxed);
    }

    /// True when the client cannot read on elsewhere.
    pub(super) fn is_on_stream(&self) -> bool {
        self.on_stream.load(Ordering::Relaxed)
    }

    /// Takes the place of the session's stream: whoever reads the one before reads no
    /// more, since a message goes out on one stream only. `begin` finds a place when
    /// there was none.
    pub(super) fn take_stream(&self, begin: impl FnOnce() -> Option<Call>) -> Option<Taken> {
        let mut stream = locked(&self.stream);
        let before = stream.as_ref().and_then(|open| open.place.upgrade());
        let place = match before {
            Some(place) => place,
            None => Arc::new(begin()?),
        };
        let next = Open {
            at: now_in_milliseconds(),
            replaced: CancellationToken::new(),
            place: Arc::downgrade(&place),
        };
        let taken = Taken {
            at: next.at,
            replaced: next.replaced.clone(),
            place,
        };
        if let Some(before) = stream.replace(next) {
            before.replaced.cancel();
        }
        Some(taken)
    }

    /// The session's stream was opened elsewhere: one that was opened here before that
    /// is read no more.
    pub(super) fn leave_stream(&self, at: u64) {
        let stream = locked(&self.stream);
        if let Some(open) = stream.as_ref().filter(|open| open.at < at) {
            open.replaced.cancel();
        }
    }

    /// True once it was ended here.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits until the session is over.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.is_part {
            locked(&self.live.calls).remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(b"0123456789abcdef", None).unwrap()
    }

    #[test]
    fn another_replica_serves_a_session_that_it_never_saw() {
        let (one, other) = (Sessions::default(), Sessions::default());
        let live = one
            .begin(
                10,
                "me".to_owned(),
                Version::LATEST_LEGACY,
                r#"{"roots":{}}"#,
            )
            .unwrap();
        let id = one.seal(&sealer(), &live, None).unwrap();
        let token = other.open(&sealer(), "me", &id).unwrap();
        let found = other.find(&token, "me", 10);
        assert_eq!(&*found.capabilities, r#"{"roots":{}}"#);
        assert_eq!(found.scope(), live.scope());
    }

    #[test]
    fn an_id_is_good_for_its_owner_and_until_its_end() {
        let sessions = Sessions::default();
        let live = sessions
            .begin(10, "me".to_owned(), Version::LATEST_LEGACY, "{}")
            .unwrap();
        let id = sessions.seal(&sealer(), &live, None).unwrap();
        assert!(sessions.open(&sealer(), "you", &id).is_none());
        assert!(sessions.open(&sealer(), "me", &id).is_some());
        sessions.end(&live);
        assert!(sessions.open(&sealer(), "me", &id).is_none());
    }

    #[test]
    fn the_level_that_was_chosen_last_counts_though_a_clock_is_behind() {
        let sessions = Sessions::default();
        let live = sessions
            .begin(10, "me".to_owned(), Version::LATEST_LEGACY, "{}")
            .unwrap();
        let ahead = Level {
            level: "debug".to_owned(),
            at: now_in_milliseconds() + 60_000,
        };
        live.choose_level(ahead.clone());
        let chosen = live.choose_level_now("error".to_owned());
        // A word that comes late, or twice.
        live.choose_level(ahead);
        assert_eq!(live.chosen_level(), Some(chosen));
        assert_eq!(live.level().as_deref(), Some("error"));
    }

    #[test]
    fn a_session_for_which_there_is_no_place_is_served_and_not_remembered() {
        let (one, other) = (Sessions::default(), Sessions::default());
        let begin = |sessions: &Sessions| {
            let live = sessions.begin(1, "me".to_owned(), Version::LATEST_LEGACY, "{}");
            live.unwrap()
        };
        let (live, _full) = (begin(&one), begin(&other));
        let id = one.seal(&sealer(), &live, None).unwrap();
        let token = other.open(&sealer(), "me", &id).unwrap();
        assert!(other.remembered(&token, "me", 1).is_none());
        assert_eq!(other.find(&token, "me", 1).scope(), live.scope());
        assert!(other.known(&token).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_bound_holds_until_sessions_are_idle() {
        let sessions = Sessions::default();
        assert!(
            sessions
                .begin(1, "a".to_owned(), Version::LATEST_LEGACY, "{}")
                .is_some()
        );
        assert!(
            sessions
                .begin(1, "b".to_owned(), Version::LATEST_LEGACY, "{}")
                .is_none()
        );
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(sessions.sweep(Duration::from_secs(60)).len(), 1);
        assert!(
            sessions
                .begin(1, "b".to_owned(), Version::LATEST_LEGACY, "{}")
                .is_some()
        );
    }
}
