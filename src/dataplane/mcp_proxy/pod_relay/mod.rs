//! Sessions that only one Pod can serve: what is said in them is handed on to it.
//!
//! A session with children on stdio lives where those were started. Its id names
//! that Pod, sealed, so that no client chooses where we connect. Whichever replica
//! gets a request of it hands the whole exchange on to port 9091 there.
//!
//! ```text
//! client ─▶ replica: authenticated, checked, the id opened
//!   ─▶ port 9091 of its home: ticket (who, what, when, to whom) and body, sealed
//!   ◀─ proof that the ticket could be opened, then the answer as it comes
//! ```
//!
//! Guarantees: nobody without the key of sessions is served there, or learns what
//! a client said (an address may belong to another Pod by now); a ticket is good
//! once, for a minute; what was handed on is never handed on again; a Pod that is
//! gone is a session that is gone (404: the client initialises again).
//!
//! The same way goes what replicas tell each other of sessions that any of them
//! serves (`mcp_proxy::telling`): there the ticket is for an address.

mod envelope;
mod passing;
mod receive;
mod seen;
mod tell;

use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agentkube_mcp::header;
use agentkube_mcp::session::{Home, PodTag};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, Method, Request, Response};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tracing::debug;

use self::envelope::{Letter, TICKET};
use self::passing::passing;
use self::seen::Seen;
use super::calls::Call;
use super::proxy::State;
use super::route::ProxyError;
use super::serving::Serving;
use super::sessions;
use crate::edge::Body;
use crate::upstream::{SendError, TlsRoots, UpstreamBody, UpstreamClient};

pub use self::receive::{Relayed, RelayedPlane};
pub(super) use self::tell::tell;

/// Within a cluster a connection takes a millisecond; a Pod that is gone may not
/// even refuse.
const CONNECT: Duration = Duration::from_secs(3);

/// Beyond the longest call that an upstream may take.
const SLACK: Duration = Duration::from_secs(15);

/// What of an answer's head is for the client.
static ANSWERED: [HeaderName; 6] = [
    ALLOW,
    CACHE_CONTROL,
    CONTENT_TYPE,
    RETRY_AFTER,
    header::SESSION_ID,
    HeaderName::from_static("x-accel-buffering"),
];

/// The identity of a Pod from what the downward API says of it.
#[must_use]
pub fn home(uid: &str, address: SocketAddr) -> Home {
    let mut pod = PodTag::default();
    let digest = Sha256::digest(uid);
    pod.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Home { pod, address }
}

/// Who is meant by an address: whichever Pod has it.
fn tag_of(address: SocketAddr) -> PodTag {
    // No UID begins so.
    home(&format!("\0{address}"), address).pod
}

/// Which Pod this is, and the way to the others.
pub(super) struct Relays {
    here: OnceLock<Home>,
    client: UpstreamClient,
    seen: Mutex<Seen>,
}

impl Relays {
    pub(super) fn new(roots: &TlsRoots) -> Self {
        Self {
            here: OnceLock::new(),
            client: UpstreamClient::to_peers(roots, CONNECT),
            seen: Mutex::default(),
        }
    }

    /// This is that Pod.
    pub(super) fn lives_at(&self, home: Home) {
        // A Pod keeps its identity.
        let _ = self.here.set(home);
    }

    /// Which Pod this is; `None` where there are no others.
    pub(super) fn here(&self) -> Option<Home> {
        self.here.get().copied()
    }

    /// True for a session that lives here.
    pub(super) fn is_here(&self, home: Home) -> bool {
        self.here().is_some_and(|here| here.pod == home.pod)
    }

    /// True for a ticket that is shown in time and for the first time.
    fn admits(&self, letter: &Letter) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.admits(letter.id, letter.at, sessions::now())
    }
}

/// Hands a client's request on to the Pod that its session lives in, and passes
/// the answer on as it comes. `client` is who it was authenticated as; the call
/// ends with the answer.
///
/// # Errors
/// [`ProxyError::Session`] when that Pod is not there any more,
/// [`ProxyError::Broken`] when it went away before it answered.
pub(super) async fn to(
    state: &State,
    serving: &Serving,
    home: Home,
    client: &str,
    request: &Request<Bytes>,
    call: Option<Call>,
) -> Result<Response<Body>, ProxyError> {
    let letter = Letter::new(home.pod, client, request).ok_or(ProxyError::Session)?;
    let posted = post(state, serving, (home.address, "/"), &letter, request.body());
    let answered = match timeout(patience(serving), posted).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(Lost::Send(SendError::Broken(_)))) | Err(_) => return Err(ProxyError::Broken),
        Ok(Err(error)) => {
            debug!(%error, "the Pod of a session is gone");
            return Err(ProxyError::Session);
        }
    };
    let (head, body) = answered.into_parts();
    // A stream without an end must not keep this replica from its own.
    let until = (request.method() == Method::GET).then(|| state.closing.clone());
    let mut response = Response::new(Body::stream(passing(body, until, call)));
    *response.status_mut() = head.status;
    for name in &ANSWERED {
        if let Some(value) = head.headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response)
}

/// Why a letter has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// There is no key, or it is too long.
    #[error("it cannot be sealed")]
    Unsealed,
    /// Nobody took it.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Whoever answers there has not the key.
    #[error("what answers at that address is no replica of this MCP")]
    Unproven,
}

/// Sends a letter and its body; the head of the answer is that of a replica.
async fn post(
    state: &State,
    serving: &Serving,
    (address, path): (SocketAddr, &str),
    letter: &Letter,
    body: &[u8],
) -> Result<Response<UpstreamBody>, Lost> {
    let object = serving.loaded.plan.object.to_string();
    let sealed = letter.seal(&serving.sealer, &object, body);
    let (ticket, body) = sealed.ok_or(Lost::Unsealed)?;
    let request = Request::post(format!("http://{address}{path}"))
        .header(TICKET, ticket)
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| Lost::Unsealed)?;
    let answered = state.relays.client.send(request).await?;
    if letter.is_proven(&serving.sealer, &object, answered.headers()) {
        Ok(answered)
    } else {
        Err(Lost::Unproven)
    }
}

/// For the head of an answer: the longest call of any upstream.
fn patience(serving: &Serving) -> Duration {
    let upstreams = serving.loaded.plan.upstreams.iter();
    let longest = upstreams.map(|upstream| upstream.timeouts.total).max();
    longest.unwrap_or_default() + SLACK
}
