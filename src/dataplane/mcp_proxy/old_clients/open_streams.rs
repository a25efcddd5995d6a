//! The streams that are open here, and what was posted to them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use agentkube_mcp::Version;
use agentkube_mcp::session::SessionTag;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::mpsc;

use crate::mcp_proxy::calls::{Call, Calls};
use crate::mcp_proxy::party::Party;
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::route::ProxyError;
use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::sessions::{self, Live};

/// Posted messages that wait until the stream's reader comes to them.
const MAX_WAITING: usize = 64;

/// Messages under way on one stream that are no calls: answers to questions, which
/// calls wait for.
const MAX_ASIDE: u32 = 64;

/// The streams of this replica.
#[derive(Debug, Default)]
pub(in crate::mcp_proxy) struct OpenStreams(Mutex<HashMap<SessionTag, Arc<Stream>>>);

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    tag: SessionTag,
    jobs: mpsc::Sender<Job>,
    asides: Calls,
    /// Its client is being greeted, or was.
    greeting: AtomicBool,
    /// Its session, once the client was greeted.
    live: OnceLock<Arc<Live>>,
}

/// What was posted, under the plan of that moment.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) serving: Arc<Serving>,
    pub(super) body: Bytes,
    /// Its place, until there is nothing more to say to it.
    pub(super) call: Call,
}

/// A stream at its reader. When it is dropped, so is the session.
pub(super) struct Place {
    pub(super) state: Arc<State>,
    /// Whose stream it is.
    pub(super) client: String,
    /// With what it was opened: what proves who the client is.
    proof: HeaderMap,
    pub(super) stream: Arc<Stream>,
    pub(super) jobs: Option<mpsc::Receiver<Job>>,
}

impl OpenStreams {
    /// The stream of this tag, when it is open here.
    pub(super) fn find(&self, tag: &SessionTag) -> Option<Arc<Stream>> {
        self.held().get(tag).map(Arc::clone)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SessionTag, Arc<Stream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// Gives it something to do.
    ///
    /// # Errors
    /// When the reader is far behind, or gone.
    pub(super) fn give(&self, job: Job) -> Result<(), ProxyError> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ProxyError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ProxyError::Stream,
        })
    }

    /// Room for what is no call.
    ///
    /// # Errors
    /// When there is very much of it.
    pub(super) fn aside(&self) -> Result<Call, ProxyError> {
        self.asides.begin(MAX_ASIDE).ok_or(ProxyError::Overloaded)
    }

    /// The session of its client.
    pub(super) fn live(&self) -> Option<&Arc<Live>> {
        self.live.get()
    }

    /// What its client speaks; before that is known, anything.
    pub(super) fn version(&self) -> Version {
        self.live().map_or(Version::ASSUMED, |live| live.version)
    }

    /// Who says something on it.
    pub(super) fn party(&self) -> Party {
        match self.live() {
            Some(live) => Party::Session(Arc::clone(live)),
            None => Party::Opening,
        }
    }

    /// False when its client is being greeted already, or was.
    pub(super) fn begins_greeting(&self) -> bool {
        !self.greeting.swap(true, Ordering::AcqRel)
    }

    /// The greeting that was begun opened this session, or none: then another one may
    /// be tried.
    pub(super) fn greeted(&self, live: Option<Arc<Live>>) {
        match live {
            // Only one greeting at a time comes to this.
            Some(live) => drop(self.live.set(live)),
            None => self.greeting.store(false, Ordering::Release),
        }
    }
}

impl Place {
    /// A new stream; `None` when there are so many already.
    pub(super) fn open(
        state: &Arc<State>,
        (client, proof): (&str, &HeaderMap),
        limit: u32,
    ) -> Option<Self> {
        let (give, jobs) = mpsc::channel(MAX_WAITING);
        let stream = Arc::new(Stream {
            tag: sessions::random()?,
            jobs: give,
            asides: Calls::default(),
            greeting: AtomicBool::new(false),
            live: OnceLock::new(),
        });
        let mut held = state.old_streams.held();
        if held.len() >= limit as usize {
            return None;
        }
        held.insert(stream.tag, Arc::clone(&stream));
        drop(held);
        Some(Self {
            state: Arc::clone(state),
            client: client.to_owned(),
            proof: proof.clone(),
            stream,
            jobs: Some(jobs),
        })
    }

    /// Whether the client would be let in under the next plan.
    pub(super) fn is_admitted(&self, before: &Serving, next: &Serving) -> bool {
        let (before, next) = (&before.loaded.clients, &next.loaded.clients);
        // A token that is too old now was good when the stream was opened.
        before.is_same_for(&self.client, next)
            || next
                .authenticate(&self.proof)
                .is_ok_and(|client| client.name() == self.client)
    }

    pub(super) fn tag(&self) -> SessionTag {
        self.stream.tag
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.old_streams.held().remove(&self.stream.tag);
        if let Some(live) = self.stream.live() {
            if let Some(serving) = self.state.serving() {
                serving.end_links(live);
            }
            self.state.sessions.end(live);
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}
