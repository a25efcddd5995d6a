//! Opening a stream, and reading it for as long as it is open.

use std::sync::{Arc, Weak};

use agentkube_mcp::{ErrorObject, Kind, MAX_DEPTH, Message, message};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::stream::{REFUSALS, Stream};
use super::{PREFIX, Streams, UpstreamError, place, spawn};
use crate::mcp_proxy::upstream::catalogue::PATIENCE;
use crate::mcp_proxy::upstream::clock::Clock;
use crate::mcp_proxy::upstream::events::{self, Events};
use crate::mcp_proxy::upstream::exchange::{self, MAX_FAILURE, common_headers, media_type};
use crate::mcp_proxy::upstream::lane::Lane;
use crate::stdio::inbox::Delivery;

impl Streams {
    /// Opens a stream, and a session with it. Its reader ends with it.
    pub(super) async fn begin(
        self: &Arc<Self>,
        clock: &Clock,
    ) -> Result<Arc<Stream>, UpstreamError> {
        if self.held().len() >= self.most {
            return Err(UpstreamError::ManyStreams(self.most));
        }
        let (mut events, post_to) = self.find_endpoint(clock).await?;
        events.endless();
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| UpstreamError::SessionLost)?;
        let id = format!("{PREFIX}{}", hex::encode(random));
        let stream = Arc::new(Stream::new(
            id,
            post_to,
            self.limit,
            self.stop.child_token(),
        ));
        self.keep(&stream)?;
        spawn(read(Arc::downgrade(self), Arc::clone(&stream), events))?;
        Ok(stream)
    }

    /// Others may have been opened meanwhile.
    fn keep(&self, stream: &Arc<Stream>) -> Result<(), UpstreamError> {
        let mut held = self.held();
        if held.len() >= self.most {
            return Err(UpstreamError::ManyStreams(self.most));
        }
        held.insert(stream.id.clone(), Arc::clone(stream));
        Ok(())
    }

    /// The first place that opens a stream.
    async fn find_endpoint(&self, clock: &Clock) -> Result<(Events, Uri), UpstreamError> {
        let mut first = None;
        for uri in self.endpoint.streams() {
            match self.ask_endpoint(&uri, clock).await {
                Ok(found) => return Ok(found),
                Err(error) if is_elsewhere(&error) => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or(UpstreamError::NoStream))
    }

    async fn ask_endpoint(&self, uri: &Uri, clock: &Clock) -> Result<(Events, Uri), UpstreamError> {
        let response = exchange::send(&self.client, &self.credential, clock, |proven| {
            let mut request = Request::new(Full::<Bytes>::default());
            *request.uri_mut() = uri.clone();
            common_headers(request.headers_mut(), proven);
            let events = HeaderValue::from_static("text/event-stream");
            request.headers_mut().insert(ACCEPT, events);
            request
        })
        .await?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let body = events::whole(body, clock.clone(), MAX_FAILURE).await?;
            return Err(match exchange::failed(&Lane::Greeting, head.status, body) {
                Err(error) => error,
                Ok(_) => UpstreamError::Status(head.status),
            });
        }
        if media_type(&head.headers) != b"text/event-stream" {
            return Err(UpstreamError::NoStream);
        }
        let mut clock = clock.clone();
        clock.hear();
        let mut events = Events::new(body, clock, self.limit);
        let named = events.endpoint().await?.ok_or(UpstreamError::NoStream)?;
        Ok((events, place::of(uri, &named)?))
    }

    /// Answers a request of the upstream that nobody takes, and its `ping`.
    ///
    /// # Errors
    /// When it does not take answers as fast as it asks.
    fn refuse(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        message: &Message<'_>,
    ) -> Result<(), UpstreamError> {
        let Kind::Request { id, method } = message.kind() else {
            return Ok(());
        };
        let place = Arc::clone(&stream.refusals).try_acquire_owned();
        let place = place.map_err(|_| UpstreamError::AsksTooMuch(REFUSALS))?;
        let text = match method.as_ref() {
            "ping" => message::result(id, "{}"),
            other => message::failure(Some(id), &ErrorObject::unknown_method(other)),
        };
        let (streams, stream, text) = (Arc::clone(self), Arc::clone(stream), Bytes::from(text));
        let clock = Clock::start(&self.timeouts).within(PATIENCE);
        drop(spawn(async move {
            if let Err(error) = streams.deliver(&stream, &text, &clock).await {
                debug!(%error, "refusal not delivered");
            }
            drop(place);
        }));
        Ok(())
    }
}

/// True when the stream may be at another path.
fn is_elsewhere(error: &UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::NoStream
            | UpstreamError::Status(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
    )
}

/// Whoever still waits when it ends cannot know what was done: a call that was cut is
/// not a call that was refused.
async fn read(streams: Weak<Streams>, stream: Arc<Stream>, mut events: Events) {
    let reason = loop {
        let Some(idle) = streams.upgrade().map(|streams| streams.idle) else {
            break UpstreamError::Cut;
        };
        let idle_at = stream.idle_at(idle);
        let bytes = tokio::select! {
            () = stream.stop.cancelled() => break UpstreamError::Cut,
            () = sleep_until(idle_at) => {
                if stream.idle_at(idle) <= Instant::now() {
                    break UpstreamError::Cut;
                }
                continue;
            }
            event = events.next() => match event {
                Ok(Some(bytes)) => Bytes::from(bytes),
                Ok(None) => break UpstreamError::Cut,
                Err(error) => break error,
            },
        };
        let Ok(message) = Message::decode(&bytes, MAX_DEPTH) else {
            debug!("an event that is no message");
            continue;
        };
        let refused = message.method() == Some("ping")
            || stream.inbox.deliver(&message, bytes.clone()) == Delivery::Unwanted;
        if refused
            && let Some(streams) = streams.upgrade()
            && let Err(error) = streams.refuse(&stream, &message)
        {
            break error;
        }
    };
    debug!(%reason, "stream over");
    stream.close(reason);
    if let Some(streams) = streams.upgrade() {
        streams.held().remove(&stream.id);
    }
}
