//! Questions that the proxy itself asks a client, and their answers.
//!
//! The call that waits for an answer is in one process. The id of the question
//! is sealed with the address of that process, so that a replica which gets the
//! answer passes it on to there.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use agentkube_mcp::Version;
use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::{AskToken, Fingerprint, UpstreamToken};
use tokio::sync::oneshot;

use super::sessions::Live;

/// What stands in the place of an upstream in the ids of our own questions.
pub(super) const OURS: Fingerprint = *b"agentk";

/// The questions of this process that wait for an answer.
pub(super) struct Desk {
    next: AtomicU64,
    waiting: Arc<Mutex<HashMap<String, Asked>>>,
    address: OnceLock<SocketAddr>,
}

/// A question that waits, and who was asked.
struct Asked {
    scope: String,
    send: oneshot::Sender<String>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            // Another process may have had this address: its numbers are not ours.
            next: AtomicU64::new(RandomState::new().hash_one(0_u8)),
            waiting: Arc::default(),
            address: OnceLock::new(),
        }
    }
}

/// Where an answer belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To a question of this process.
    Here,
    /// To a question of the process that listens there.
    At(SocketAddr),
}

impl Desk {
    /// Where other replicas reach this process.
    pub(super) fn listens_on(&self, address: SocketAddr) {
        let mut address = address;
        if address.ip().is_unspecified() {
            address.set_ip(own_address());
        }
        // The first listener is as good as a later one.
        let _ = self.address.set(address);
    }

    /// A new question's id, and its answer. `None` when no id can be sealed.
    pub(super) fn open(
        &self,
        sealer: &Sealer,
        live: &Live,
    ) -> Option<(String, impl Future<Output = String> + Send + use<>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let address = self.address.get();
        let ask = AskToken {
            from: UpstreamToken {
                upstream: OURS,
                version: Version::LATEST_LEGACY,
                id: address.map(ToString::to_string).unwrap_or_default(),
            },
            id: number.clone(),
        };
        let id = sealer.name(Purpose::Ask, &live.scope(), &ask.encode())?;
        let (send, receive) = oneshot::channel();
        let waiting = Arc::clone(&self.waiting);
        let scope = live.scope();
        lock(&waiting).insert(number.clone(), Asked { scope, send });
        let place = Waiting { number, waiting };
        Some((id, async move {
            let answer = receive.await.unwrap_or_default();
            drop(place);
            answer
        }))
    }

    /// Whose question it is.
    pub(super) fn place(&self, ask: &AskToken) -> Place {
        match ask.from.id.parse() {
            Ok(address) if self.address.get() != Some(&address) => Place::At(address),
            _ => Place::Here,
        }
    }

    /// Gives a session's answer to who waits for it; false when nobody does, or when
    /// another session was asked.
    pub(super) fn deliver(&self, live: &Live, number: &str, text: String) -> bool {
        let scope = live.scope();
        let mut waiting = lock(&self.waiting);
        let asked = waiting.get(number).is_some_and(|it| it.scope == scope);
        let asked = asked.then(|| waiting.remove(number)).flatten();
        drop(waiting);
        asked.is_some_and(|asked| asked.send.send(text).is_ok())
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// Forgets a question that nobody waits for any more.
struct Waiting {
    number: String,
    waiting: Arc<Mutex<HashMap<String, Asked>>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address from which this machine speaks to others. Nothing is sent: a
/// connected datagram socket only chooses its route.
fn own_address() -> IpAddr {
    let route = |any: &str, to: &str| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    // In clusters of IPv6 a Pod may have a link-local IPv4 address, for what lies outside.
    let is_reached =
        |address: &IpAddr| !matches!(address, IpAddr::V4(address) if address.is_link_local());
    // Documentation addresses (RFC 5737, RFC 3849).
    route("0.0.0.0", "192.0.2.1")
        .filter(is_reached)
        .or_else(|| route("::", "2001:db8::1"))
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
