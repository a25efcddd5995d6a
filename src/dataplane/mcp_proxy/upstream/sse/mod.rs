//! The legacy HTTP+SSE transport (2024-11-05, Transports, "HTTP with SSE").
//!
//! One GET opens a stream, whose first event says where to post; what is posted is
//! answered on that stream. So the stream is the session: it is read here for as
//! long as the session lives, its messages are handed to the calls that they belong
//! to, and to the rest of the proxy it looks like a session of streamable HTTP. The
//! stream cannot be moved: another replica that gets a client of the session opens
//! a session of its own.
//!
//! Guarantees: what is posted goes to the origin of the stream and nowhere else; a
//! stream that ends fails the calls that wait on it, and says why.

mod alive;
mod open;
mod place;
mod stream;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentkube_mcp::{Kind, MAX_DEPTH, Message};
use agentkube_plan::{HttpTransport, ProxyLimits, ProxyTimeouts};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::UpstreamError;
use super::clock::Clock;
use super::credential::{Credential, Proven};
use super::endpoint::Endpoint;
use super::events::{self, Events};
use super::exchange::{self, Answer, Answered, MAX_FAILURE, common_headers};
use super::lane::Lane;
use crate::upstream::UpstreamClient;

pub(super) use self::stream::Part;
use self::stream::Stream;

/// How the ids of these sessions begin, which no server gives out.
const PREFIX: &str = "agentkube-sse-";

/// The sessions with one upstream over this transport.
pub(super) struct Streams {
    client: UpstreamClient,
    endpoint: Arc<Endpoint>,
    credential: Credential,
    timeouts: ProxyTimeouts,
    /// Bytes of the largest message.
    limit: usize,
    most: usize,
    /// How long a session lives that nobody uses.
    idle: Duration,
    /// The upstream is asked for nothing else.
    only: bool,
    /// New sessions are opened so.
    spoken: AtomicBool,
    open: Mutex<HashMap<String, Arc<Stream>>>,
    stop: CancellationToken,
    /// Ends the streams with the last of us.
    _end: DropGuard,
}

impl Streams {
    /// None yet; `None` for an upstream that is not to be spoken to so.
    pub(super) fn new(
        transport: HttpTransport,
        wire: (&UpstreamClient, &Arc<Endpoint>, &Credential),
        timeouts: &ProxyTimeouts,
        limits: &ProxyLimits,
    ) -> Option<Arc<Self>> {
        let only = match transport {
            HttpTransport::Auto => false,
            HttpTransport::Sse => true,
            HttpTransport::StreamableHttp => return None,
        };
        let (client, endpoint, credential) = wire;
        let stop = CancellationToken::new();
        Some(Arc::new(Self {
            client: client.clone(),
            endpoint: Arc::clone(endpoint),
            credential: credential.clone(),
            timeouts: *timeouts,
            limit: usize::try_from(limits.message_bytes).unwrap_or(usize::MAX),
            // One for every client's session, and ours.
            most: limits.sessions as usize + 1,
            idle: limits.session_idle,
            only,
            spoken: AtomicBool::new(only),
            open: Mutex::default(),
            _end: stop.clone().drop_guard(),
            stop,
        }))
    }

    /// True when the upstream is known to speak nothing else.
    pub(super) fn is_only(&self) -> bool {
        self.only
    }

    /// True when new sessions are opened so.
    pub(super) fn is_spoken(&self) -> bool {
        self.spoken.load(Ordering::Relaxed)
    }

    /// New sessions are opened so from now on, or not: an upstream may have been
    /// upgraded while it was away.
    pub(super) fn speak(&self, so: bool) {
        self.spoken.store(so || self.only, Ordering::Relaxed);
    }

    /// True for the id of such a session, also of one that is not open here.
    pub(super) fn is_id(id: &HeaderValue) -> bool {
        id.as_bytes().starts_with(PREFIX.as_bytes())
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &HeaderValue) {
        if let Some(stream) = id.to_str().ok().and_then(|id| self.held().remove(id)) {
            stream.stop.cancel();
        }
    }

    /// What the upstream says in a session that no call asked for.
    pub(super) fn listen(self: &Arc<Self>, id: &HeaderValue) -> Result<Events, UpstreamError> {
        let part = Part::whole(self, &self.find(id)?);
        Ok(Events::of_stream(part, None, Clock::endless()))
    }

    /// Sends a message, in a new session when none is named, and waits for what
    /// comes back first.
    pub(super) async fn post(
        self: &Arc<Self>,
        session: Option<&HeaderValue>,
        body: &Bytes,
        clock: &Clock,
    ) -> Result<Answered, UpstreamError> {
        let Some(session) = session else {
            let stream = self.begin(clock).await?;
            let opened = Opened(Some((self, &stream)));
            let answered = self.say(&stream, body, clock).await?;
            opened.stays();
            return Ok(answered);
        };
        let stream = self.find(session)?;
        self.say(&stream, body, clock).await
    }

    async fn say(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        body: &Bytes,
        clock: &Clock,
    ) -> Result<Answered, UpstreamError> {
        stream.touch();
        let garbled = |error: agentkube_mcp::Malformed| UpstreamError::Garbled(error.to_string());
        let message = Message::decode(body, MAX_DEPTH).map_err(garbled)?;
        let done = |answer| Answered {
            answer,
            status: StatusCode::OK,
            session: HeaderValue::try_from(&stream.id).ok(),
        };
        if !matches!(message.kind(), Kind::Request { .. }) {
            let answer = self.deliver(stream, body, clock).await?;
            return Ok(done(answer));
        }
        let mut part = Part::of(self, stream, &message)?;
        // The server may answer on the stream long before it answers the POST, or
        // ask first; and who goes away meanwhile has not unsaid it.
        let mut posted = {
            let (streams, stream) = (Arc::clone(self), Arc::clone(stream));
            let (body, clock) = (body.clone(), clock.clone());
            spawn(async move { streams.deliver(&stream, &body, &clock).await })?
        };
        let mut waiting = clock.clone();
        waiting.hear();
        let first = tokio::select! {
            first = waiting.wait(part.next()) => first??,
            posted = &mut posted => match posted.map_err(|_| UpstreamError::Cut)?? {
                // It was refused in words of the protocol.
                Answer::Message(bytes) => return Ok(done(Answer::Message(bytes))),
                _ => {
                    waiting.hear();
                    waiting.wait(part.next()).await??
                }
            },
        };
        waiting.hear();
        if part.is_answer(&first) {
            return Ok(done(Answer::Message(first)));
        }
        let events = Events::of_stream(part, Some(first), waiting);
        Ok(done(Answer::Events(Box::new(events))))
    }

    /// Posts a message; what it has to say comes on the stream.
    async fn deliver(
        &self,
        stream: &Stream,
        body: &Bytes,
        clock: &Clock,
    ) -> Result<Answer, UpstreamError> {
        let response = exchange::send(&self.client, &self.credential, clock, |proven| {
            post(stream, body, proven)
        })
        .await;
        if let Err(UpstreamError::Send(_)) = response {
            // Who cannot be posted to will not say anything either.
            stream.stop.cancel();
            self.held().remove(&stream.id);
        }
        let response = response?;
        let status = response.status();
        let body = events::whole(response.into_body(), clock.clone(), MAX_FAILURE).await;
        // What a success says beside its status is not the protocol's. It is read all the
        // same: an answer that was not read to its end costs its connection.
        if status.is_success() {
            return Ok(Answer::Accepted);
        }
        let body = body?;
        let lane = Lane::in_session(&stream.id);
        match exchange::failed(&lane, status, body) {
            Err(UpstreamError::SessionLost) => {
                stream.stop.cancel();
                self.held().remove(&stream.id);
                Err(UpstreamError::SessionLost)
            }
            other => other.map(Answer::Message),
        }
    }

    fn find(&self, id: &HeaderValue) -> Result<Arc<Stream>, UpstreamError> {
        let id = id.to_str().map_err(|_| UpstreamError::SessionLost)?;
        let stream = self.held().get(id).map(Arc::clone);
        stream.ok_or(UpstreamError::SessionLost)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Stream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// A session whose greeting is under way: it ends with a greeting that failed.
struct Opened<'a>(Option<(&'a Arc<Streams>, &'a Arc<Stream>)>);

impl Opened<'_> {
    fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Some((streams, stream)) = self.0 {
            stream.stop.cancel();
            streams.held().remove(&stream.id);
        }
    }
}

fn post(stream: &Stream, body: &Bytes, proven: Option<&Proven>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = stream.post_to.clone();
    let headers = request.headers_mut();
    common_headers(headers, proven);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> Result<tokio::task::JoinHandle<T>, UpstreamError> {
    let runtime = Handle::try_current().map_err(|_| UpstreamError::Cut)?;
    Ok(runtime.spawn(task))
}
