//! What a client says in its session beside its calls, told to the other replicas.
//!
//! A replica that never saw a session serves its calls as well as any other. But a
//! call that is under way, a stream, what is followed on it and the log level are in
//! the memory of the replicas that heard of them. Each of those may be another one.
//!
//! ```text
//! client ─▶ replica: cancels, follows, chooses a level, opens its stream, ends
//!   ─▶ port 9091 of every other one: ticket and word, sealed
//!   ◀─ for a stream that opens: what is known there of the session
//! ```
//!
//! A replica that ends hands over what it knows, since those after it did not hear it.
//!
//! Guarantees: a word is about the session whose id the client sent, and is taken
//! only for the client that was authenticated; calls wait for nobody; all replicas are
//! told at once and have 3 seconds; one that does not answer keeps nobody waiting for
//! longer than half a second, keeps the others from nothing, and is counted; what is on its
//! way is bounded, also for each client and session.

mod found;
mod hand_over;
mod hear;
mod pool;
mod word;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agentkube_mcp::header;
use agentkube_mcp::session::SessionTag;
use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use self::found::Found;
use self::pool::{Most, Permit, Pool};
use super::dispatch::Caller;
use super::pod_relay;
use super::proxy::State;
use super::serving::Serving;
use super::sessions::{self, Live};

pub(super) use self::hand_over::hand_over;
pub(super) use self::hear::hear;
use self::word::Known;
pub(super) use self::word::Word;

/// For finding the replicas and for their answers: a name and a few kilobytes within a
/// cluster take milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// So long a client waits for what it said to be known everywhere.
const WAITED: Duration = Duration::from_millis(500);

/// Words on their way at once.
const WORDS: Most = Most {
    all: 256,
    client: 192,
    session: 64,
};

/// Cancellations on their way at once, for which nobody waits: a client that cancels what
/// nobody knows could else keep any number of connections busy, and keep others from being
/// told what counts for longer than a call.
const CANCELLATIONS: Most = Most {
    all: 128,
    client: 64,
    session: 8,
};

/// Bytes of a word that a client caused. Longer ones are not told: they are in memory once
/// for each replica until it answers.
const MAX_WORD: usize = 64 * 1024;

/// What this replica needs to tell the others.
pub(super) struct Telling {
    found: Found,
    words: Arc<Pool>,
    cancellations: Arc<Pool>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            found: Found::default(),
            words: Pool::new(WORDS),
            cancellations: Pool::new(CANCELLATIONS),
        }
    }
}

/// Tells the others of one session.
#[derive(Clone)]
pub(super) struct Teller {
    state: Arc<State>,
    serving: Arc<Serving>,
    client: String,
    tag: SessionTag,
    /// As the client sent it.
    session: HeaderValue,
    here: SocketAddr,
}

/// True where there are other replicas that can be told.
pub(super) fn has_others(state: &State, serving: &Serving) -> bool {
    state.relays.here().is_some() && !serving.loaded.plan.peers.is_empty()
}

impl Teller {
    /// For the session that these headers name; `None` where no other replica may
    /// serve it.
    pub(super) fn of(
        state: &Arc<State>,
        serving: &Arc<Serving>,
        client: &str,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let here = state.relays.here()?;
        let plan = &serving.loaded.plan;
        if plan.peers.is_empty() {
            return None;
        }
        let session = headers.get(header::SESSION_ID)?;
        let owner = sessions::owner(&plan.object, client);
        let sealer = &serving.sealer;
        let token = state
            .sessions
            .open(sealer, &owner, session.to_str().ok()?)?;
        token.home.is_none().then(|| Self {
            state: Arc::clone(state),
            serving: Arc::clone(serving),
            client: client.to_owned(),
            tag: token.tag,
            session: session.clone(),
            here: here.address,
        })
    }

    /// For the session of this caller.
    pub(super) fn of_caller(caller: &Caller<'_>) -> Option<Self> {
        let Caller { state, serving, .. } = *caller;
        Self::of(state, serving, caller.client, caller.headers)
    }

    /// For a session that is known here; `None` where it lives here, or on one stream.
    fn of_live(
        state: &Arc<State>,
        serving: &Arc<Serving>,
        here: SocketAddr,
        live: &Live,
    ) -> Option<Self> {
        if live.is_bound() {
            return None;
        }
        // Its client has another spelling of the same id.
        let id = state.sessions.seal(&serving.sealer, live, None)?;
        Some(Self {
            state: Arc::clone(state),
            serving: Arc::clone(serving),
            client: live.client().to_owned(),
            tag: live.tag,
            session: HeaderValue::try_from(id).ok()?,
            here,
        })
    }

    /// Tells all of them. Waits until they were told, but not for one that seems to be
    /// gone: it is told all the same, should it be there.
    pub(super) async fn tell(self, word: Word) {
        if let Some(told) = self.tell_soon(&word) {
            // Without an answer in time it goes on.
            drop(timeout(WAITED, told).await);
        }
    }

    /// Tells all of them, while nobody waits.
    pub(super) fn tell_soon(self, word: &Word) -> Option<JoinHandle<()>> {
        let (permit, text) = self.begin(word)?;
        Some(tokio::spawn(async move {
            self.ask(&text, Instant::now() + PATIENCE).await;
            drop(permit);
        }))
    }

    /// Tells that the session's stream was opened here at this time, and adds what the
    /// others know of the session to what is known here.
    pub(super) fn learn_soon(self, live: &Arc<Live>, at: u64) {
        let Some((permit, text)) = self.begin(&Word::Streams { at }) else {
            return;
        };
        let live = Arc::clone(live);
        tokio::spawn(async move {
            let until = Instant::now() + PATIENCE;
            for known in self.ask(&text, until).await {
                if known.is_over() {
                    self.state.sessions.end(&live);
                    self.serving.end_links(&live);
                    break;
                }
                known.add_to(&live, &self.serving);
            }
            drop(permit);
        });
    }

    /// A place for a word, and its text. All that is kept of it is bounded: what a client
    /// says may be as long as a message.
    fn begin(&self, word: &Word) -> Option<(Permit, Bytes)> {
        let telling = &self.state.telling;
        let pool = match word {
            Word::Cancelled { .. } => &telling.cancellations,
            _ => &telling.words,
        };
        let Some(permit) = pool.take(&self.client, self.tag) else {
            self.untold("there is too much to tell");
            return None;
        };
        let text = encoded(word)?;
        if text.len() > MAX_WORD {
            self.untold("it is too long");
            return None;
        }
        Some((permit, text))
    }

    /// What each of them answers until then.
    async fn ask(&self, text: &Bytes, until: Instant) -> Vec<Known> {
        let peers = &self.serving.loaded.plan.peers;
        let found = self.state.telling.found.addresses(peers, until).await;
        if found.is_empty() {
            self.untold("none is found");
        }
        let others = found.iter().filter(|address| **address != self.here);
        let answers = join_all(others.map(|address| self.ask_one(*address, text, until))).await;
        answers
            .into_iter()
            .filter_map(Result::ok)
            .flatten()
            .collect()
    }

    /// What this one answers; `None` when it was not told.
    async fn ask_one(
        &self,
        address: SocketAddr,
        text: &Bytes,
        until: Instant,
    ) -> Result<Option<Known>, Silent> {
        let Self { state, serving, .. } = self;
        let told = pod_relay::tell(state, serving, address, &self.client, &self.session, text);
        match timeout_at(until, told).await {
            Ok(Ok(answer)) => Ok(serde_json::from_slice(&answer).ok()),
            Ok(Err(error)) => {
                self.untold(&error.to_string());
                Ok(None)
            }
            Err(_) => {
                self.untold("it does not answer");
                Err(Silent)
            }
        }
    }

    fn untold(&self, why: &str) {
        untold(&self.state, why);
    }
}

/// A replica did not answer in time.
struct Silent;

/// A word as it is sent.
fn encoded(word: &Word) -> Option<Bytes> {
    serde_json::to_vec(word).ok().map(Bytes::from)
}

/// A replica was not told something.
fn untold(state: &State, why: &str) {
    debug!(object = %state.labels.name, why, "a replica was not told");
    state.upstream_metrics.untold(&state.labels);
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}
