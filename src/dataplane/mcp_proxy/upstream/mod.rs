//! One upstream tool server: how it is reached, what it offers, how it fares.

mod catalogue;
mod changes;
mod clock;
mod credential;
mod endpoint;
mod error;
mod events;
mod exchange;
mod grant;
mod lane;
mod link;
mod pins;
mod reach;
mod session;
mod sse;
mod status;
mod surface;
mod token;
mod withheld;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentkube_mcp::Id;
use agentkube_mcp::session::Fingerprint;
use agentkube_plan::{ProxyPlan, ProxyUpstream, UpstreamKind};
use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::catalogue::Shelf;
use self::changes::Changes;
use self::clock::Clock;
use self::credential::Credential;
use self::endpoint::Endpoint;
use self::exchange::Wire;
use self::lane::Connected;
use self::pins::Pins;
use self::reach::Reach;
use self::sse::Streams;
use self::status::Status;
use self::surface::Surface;
use super::ProxyParts;
use super::metrics::DriftGauge;
use super::party::Party;
use crate::source::Secrets;
use crate::upstream::Breaker;

pub(super) use self::catalogue::{Catalogue, Entry};
pub(super) use self::changes::{Side, Wanted};
pub(super) use self::error::UpstreamError;
pub(super) use self::events::Events;
pub(super) use self::exchange::{Answer, Outgoing};
pub(super) use self::lane::Lane;
pub(super) use self::link::{Follow, Link, MAX_FOLLOWED, is_ours};
pub(super) use self::session::CancelGuard;
pub(super) use self::surface::access;
pub(super) use self::withheld::Withheld;

/// Attempts of one call: the first, one after a lost session, and one in the
/// other era.
const ATTEMPTS: usize = 3;

/// Kinds of clients whose lists are kept: there are few programs.
const MAX_SHELVES: usize = 32;

/// An upstream of one plan. It outlives the plan when the next one has it too.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) surface: Surface,
    config: ProxyUpstream,
    /// What its sessions are bounded by, where it holds them itself.
    bounds: (u32, Duration),
    /// Why there is nothing to be reached.
    absent: Option<String>,
    client_info: Arc<str>,
    wire: Wire,
    breaker: Breaker,
    /// Tells it from every other one, also in what clients carry.
    pub(super) fingerprint: Fingerprint,
    ids: AtomicU64,
    /// Tells our ids in a client's session from those of other replicas.
    salt: String,
    connected: ArcSwapOption<Connected>,
    opening: tokio::sync::Mutex<()>,
    /// The lists as a client sees them that can do nothing special.
    shelf: Arc<Shelf>,
    /// The lists as clients see them that can do this, by their capabilities.
    shelves: Mutex<HashMap<Arc<str>, Arc<Shelf>>>,
    changes: Changes,
    pins: Pins,
    drift: DriftGauge,
    status: Status,
}

/// A call that was answered.
#[derive(Debug)]
pub(super) struct Asked {
    /// Where it went.
    pub(super) lane: Lane,
    /// Its id on that hop.
    pub(super) id: Id<'static>,
    /// True when nobody else speaks there: ids and tokens are the client's.
    pub(super) own: bool,
    /// What came back.
    pub(super) answer: Answer,
    /// Tells the upstream when nobody waits any more.
    pub(super) cancel: CancelGuard,
}

/// How a call is named on its way to an upstream.
#[derive(Debug)]
pub(super) struct Hop {
    /// Its id.
    pub(super) id: Id<'static>,
    /// True when nobody else speaks there.
    pub(super) own: bool,
}

/// An attempt that failed.
struct Lost<'a> {
    party: &'a Party,
    lane: Option<&'a Lane>,
    error: &'a UpstreamError,
}

impl Upstream {
    /// True for one that speaks stdio, here or in another container.
    pub(super) fn is_program(&self) -> bool {
        matches!(
            self.config.kind,
            UpstreamKind::Child { .. } | UpstreamKind::Socket { .. }
        )
    }

    /// True where all that the upstream says comes one way, whichever call it is about.
    pub(super) fn mixes(&self, lane: &Lane) -> bool {
        self.is_program() || self.wire.is_stream(lane)
    }

    /// The upstream of this row of a plan.
    pub(super) fn new(
        plan: &ProxyPlan,
        config: &ProxyUpstream,
        secrets: &Secrets,
        parts: &ProxyParts,
        client_info: Arc<str>,
    ) -> Self {
        let Reach {
            client,
            uri,
            absent,
        } = Reach::new(plan, config, secrets, parts);
        let endpoint = Arc::new(Endpoint::new(uri));
        let credential = Credential::new(config, secrets, &parts.roots);
        Self {
            name: config.name.clone(),
            surface: Surface::new(plan, config),
            bounds: bounds(plan),
            absent,
            client_info,
            wire: Wire {
                streams: match &config.kind {
                    UpstreamKind::Http { transport, .. } => Streams::new(
                        *transport,
                        (&client, &endpoint, &credential),
                        &config.timeouts,
                        &plan.limits,
                    ),
                    _ => None,
                },
                client,
                endpoint,
                credential,
                limit: usize::try_from(plan.limits.message_bytes).unwrap_or(usize::MAX),
            },
            breaker: Breaker::new(config.breaker),
            fingerprint: fingerprint(config),
            ids: AtomicU64::new(1),
            salt: format!("{:08x}", RandomState::new().hash_one(0_u8) & 0xffff_ffff),
            connected: ArcSwapOption::empty(),
            opening: tokio::sync::Mutex::default(),
            shelf: Arc::default(),
            shelves: Mutex::default(),
            changes: Changes::default(),
            pins: Pins::new(&config.pins),
            drift: parts.metrics.drift(&plan.object, &config.name),
            status: Status::default(),
            config: unpinned(config),
        }
    }

    /// True when this upstream is what a new plan asks for, so that it can stay
    /// with its session and its lists.
    pub(super) fn serves(
        &self,
        plan: &ProxyPlan,
        config: &ProxyUpstream,
        secrets: &Secrets,
    ) -> bool {
        self.config == unpinned(config)
            && self.surface == Surface::new(plan, config)
            && self.wire.limit as u64 == plan.limits.message_bytes
            && (self.bounds == bounds(plan) || !self.holds_sessions())
            && self.wire.credential.has_values_of(config, secrets)
    }

    /// True when it was made with the bounds of sessions: it starts processes for them,
    /// or holds streams.
    fn holds_sessions(&self) -> bool {
        self.is_program() || self.wire.streams.is_some()
    }

    /// An error when there is nothing to be asked, or no credential to ask with:
    /// known before anything is sent, and nobody's fault who is asked.
    fn is_there(&self) -> Result<(), UpstreamError> {
        match &self.absent {
            Some(reason) => Err(UpstreamError::Absent(reason.clone())),
            None => self.wire.credential.check(),
        }
    }

    /// A message without our credential, should the upstream have echoed it.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.wire.credential.redact(text)
    }

    /// Calls for every shelf of a kind of clients, but for the shared one.
    fn each_shelf(&self, mut visit: impl FnMut(&Shelf)) {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let shelves: Vec<_> = shelves.values().map(Arc::clone).collect();
        shelves.iter().for_each(|shelf| visit(shelf));
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the lists for this party are kept. A legacy server may offer more to
    /// a client that can do more.
    fn shelf(&self, party: &Party) -> Arc<Shelf> {
        let capabilities = match party.session() {
            Some(live) if &*live.capabilities != "{}" && self.keeps_sessions() => {
                &live.capabilities
            }
            _ => return Arc::clone(&self.shelf),
        };
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if shelves.len() >= MAX_SHELVES && !shelves.contains_key(capabilities) {
            shelves.clear();
        }
        Arc::clone(shelves.entry(Arc::clone(capabilities)).or_default())
    }

    /// The lane for a party that only wants to know what the upstream offers.
    pub(super) async fn greet(self: &Arc<Self>, party: &Party) -> Result<Lane, UpstreamError> {
        self.is_there()?;
        self.breaker
            .admit(Instant::now)
            .map_err(UpstreamError::LeftAlone)?;
        if let Some(lane) = self.open_lane(party) {
            // Nothing was asked, so nothing was found out.
            self.breaker.abandoned(Instant::now());
            return Ok(lane);
        }
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let lane = self.lane(party, &clock).await;
        self.note(lane.as_ref().map(|_| ()));
        lane
    }

    /// Sends a call and waits for the head of its answer. `make` spells the
    /// call for the lane and the id that it is given.
    ///
    /// `repeatable` says that doing it twice does no harm: only then is it sent
    /// again when the connection broke before anything came back. `id` is the
    /// client's own, which the call keeps in a session of the client's own.
    pub(super) async fn ask(
        self: &Arc<Self>,
        party: &Party,
        id: &Id<'_>,
        repeatable: bool,
        make: impl Fn(&Lane, &Hop) -> Outgoing,
    ) -> Result<Asked, UpstreamError> {
        let clock = Clock::start(&self.config.timeouts);
        self.ask_within(party, Some(id), repeatable, &clock, make)
            .await
    }

    async fn ask_within(
        self: &Arc<Self>,
        party: &Party,
        id: Option<&Id<'_>>,
        repeatable: bool,
        clock: &Clock,
        make: impl Fn(&Lane, &Hop) -> Outgoing,
    ) -> Result<Asked, UpstreamError> {
        self.is_there()?;
        self.breaker
            .admit(Instant::now)
            .map_err(UpstreamError::LeftAlone)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(party, id, clock, &make).await {
                Ok(asked) => {
                    match asked.answer {
                        // A head is no answer: it may yet be cut.
                        Answer::Events(_) => self.note_head(),
                        Answer::Accepted | Answer::Message(_) => self.note(Ok(())),
                    }
                    return Ok(asked);
                }
                Err((lane, error)) => {
                    let lost = Lost {
                        party,
                        lane: lane.as_ref(),
                        error: &error,
                    };
                    let again = self.is_worth_another(lost, attempt, repeatable);
                    if !again || attempt == ATTEMPTS {
                        // Without a lane it did not even greet us.
                        let down = lane.is_none() || error.condemns();
                        self.note(if down { Err(&error) } else { Ok(()) });
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        party: &Party,
        id: Option<&Id<'_>>,
        clock: &Clock,
        make: impl Fn(&Lane, &Hop) -> Outgoing,
    ) -> Result<Asked, (Option<Lane>, UpstreamError)> {
        let lane = self
            .lane(party, clock)
            .await
            .map_err(|error| (None, error))?;
        let own = party.session().is_some() && matches!(lane, Lane::Legacy(_));
        let id = match id {
            Some(id) if own => id.clone().into_owned(),
            None if own => self.own_id(),
            _ => Id::from(self.next_id()),
        };
        let hop = Hop { id, own };
        let outgoing = make(&lane, &hop);
        let Hop { id, own } = hop;
        let cancel = CancelGuard::new(self, &lane, &id, party.era());
        match self.wire.post(&lane, &outgoing, clock).await {
            Ok(answered) => Ok(Asked {
                lane,
                id,
                own,
                answer: answered.answer,
                cancel,
            }),
            Err(error) => {
                cancel.failed(&error);
                Err((Some(lane), error))
            }
        }
    }

    /// Whether the failure is one that the next attempt may not meet.
    fn is_worth_another(&self, lost: Lost<'_>, attempt: usize, repeatable: bool) -> bool {
        match (lost.error, lost.lane) {
            // It was refused, so nothing was done: safe for every call.
            (UpstreamError::SessionLost, Some(lane)) => {
                self.forget_session(lost.party, lane, attempt > 1);
                true
            }
            (UpstreamError::EraChanged, _) => {
                self.connected.store(None);
                attempt == 1
            }
            (UpstreamError::Send(crate::upstream::SendError::Broken(_)), _) => {
                repeatable && attempt == 1
            }
            _ => false,
        }
    }

    /// The upstream is there, and has begun to answer.
    fn note_head(&self) {
        self.breaker.answered();
        self.status.note(&self.name, Ok(()));
    }

    /// An answer that came as a stream is complete.
    pub(super) fn note_whole(&self) {
        self.breaker.completed();
    }

    /// Keeps the books of an exchange: breaker, era, status.
    fn note(&self, outcome: Result<(), &UpstreamError>) {
        match outcome {
            Ok(()) => self.breaker.completed(),
            Err(error) if error.is_outage() => self.breaker.failed(Instant::now()),
            // It was not called.
            Err(UpstreamError::NoToken { .. }) => self.breaker.abandoned(Instant::now()),
            Err(_) => self.breaker.completed(),
        }
        if let Err(error) = outcome
            && error.forgets()
        {
            self.connected.store(None);
        }
        self.status.note(&self.name, outcome);
    }
}

/// How many sessions there may be, and for how long one lives that nobody uses.
fn bounds(plan: &ProxyPlan) -> (u32, Duration) {
    (plan.limits.sessions, plan.limits.session_idle)
}

/// The row of a plan without what may change while it is served.
fn unpinned(config: &ProxyUpstream) -> ProxyUpstream {
    ProxyUpstream {
        pins: Vec::new(),
        ..config.clone()
    }
}

fn fingerprint(config: &ProxyUpstream) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(&config.name);
    hash.update([0]);
    hash.update(serde_json::to_vec(&config.kind).unwrap_or_default());
    let mut print = Fingerprint::default();
    print
        .iter_mut()
        .zip(hash.finalize())
        .for_each(|(to, from)| *to = from);
    print
}
