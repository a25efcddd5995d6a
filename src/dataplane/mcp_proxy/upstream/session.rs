//! What goes to an upstream beside the calls: answers to what it asks,
//! cancellations, and our own questions asked to the end.

use std::future::Future;
use std::sync::Arc;

use agentkube_mcp::method::ListKind;
use agentkube_mcp::{Era, ErrorObject, Id, Kind, MAX_DEPTH, Message, message};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::clock::Clock;
use super::exchange::{Answer, Outgoing};
use super::lane::Legacy;
use super::{Asked, Hop, Lane, Upstream, UpstreamError};
use crate::mcp_proxy::party::Party;

impl Upstream {
    /// The response among the messages of an answer, for questions of our own:
    /// nobody wants the notifications.
    pub(super) async fn settle(
        &self,
        lane: &Lane,
        id: &Id<'_>,
        answer: Answer,
    ) -> Result<Vec<u8>, UpstreamError> {
        let mut events = match answer {
            Answer::Accepted => return Err(UpstreamError::Garbled("it is empty".to_owned())),
            Answer::Message(bytes) => return Ok(bytes.to_vec()),
            Answer::Events(events) => events,
        };
        while let Some(bytes) = events.next().await? {
            let message = Message::decode(&bytes, MAX_DEPTH)
                .map_err(|error| UpstreamError::Garbled(error.to_string()))?;
            match message.kind() {
                Kind::Result { id: of, .. } | Kind::Error { id: Some(of), .. } if of.is(id) => {
                    return Ok(bytes);
                }
                Kind::Error { id: None, .. } => return Ok(bytes),
                Kind::Request { .. } => self.refuse_soon(lane, &message),
                _ => {}
            }
        }
        Err(UpstreamError::Cut)
    }

    /// Asks a question of our own to the end; `params` is spelled for the lane.
    pub(super) async fn question(
        self: &Arc<Self>,
        party: &Party,
        method: &'static str,
        clock: &Clock,
        params: impl Fn(&Lane) -> String,
    ) -> Result<(Lane, Vec<u8>), UpstreamError> {
        let make = |lane: &Lane, hop: &Hop| {
            Outgoing::plain(method, message::request(&hop.id, method, &params(lane)))
        };
        let Asked {
            lane,
            id,
            answer,
            cancel,
            ..
        } = self.ask_within(party, None, true, clock, make).await?;
        let answer = self.settle(&lane, &id, answer).await;
        match &answer {
            Ok(_) => {
                self.note_whole();
                cancel.done();
            }
            Err(error) => {
                cancel.failed(error);
                self.note_stream(error);
            }
        }
        answer.map(|answer| (lane, answer))
    }

    /// Answers a request of the upstream in the background: `ping` is answered,
    /// anything else is beyond the capabilities that we declared (none).
    pub(in crate::mcp_proxy) fn refuse_soon(&self, lane: &Lane, message: &Message<'_>) {
        if let Kind::Request { id, method } = message.kind() {
            self.refuse_question_soon(lane, id, method);
        }
    }

    /// As [`Upstream::refuse_soon`], for the request of this id.
    pub(in crate::mcp_proxy) fn refuse_question_soon(
        &self,
        lane: &Lane,
        id: &Id<'_>,
        method: &str,
    ) {
        let Lane::Legacy(_) = lane else {
            // 2026-07-28 has no requests from servers; there is nowhere to answer.
            return;
        };
        let text = match method {
            "ping" => message::result(id, "{}"),
            other => message::failure(Some(id), &ErrorObject::unknown_method(other)),
        };
        self.post_soon(lane.clone(), Outgoing::plain(method, text));
    }

    /// Runs something that nobody waits for. Without a runtime, at the very end
    /// of the process, it is left undone.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(task));
        }
    }

    /// Sends something that has no answer, in the background.
    pub(super) fn post_soon(&self, lane: Lane, outgoing: Outgoing) {
        let clock = Clock::start(&self.config.timeouts).within(super::catalogue::PATIENCE);
        let wire = self.wire.clone();
        self.spawn(async move {
            if let Err(error) = wire.post(&lane, &outgoing, &clock).await {
                debug!(%error, "message without answer not delivered");
            }
        });
    }

    /// Reads a list again in the background.
    pub(in crate::mcp_proxy) fn read_again_soon(self: &Arc<Self>, kind: ListKind) {
        let upstream = Arc::clone(self);
        self.spawn(async move {
            // What fails here is in the status, and is tried again when needed.
            drop(
                upstream
                    .catalogue(kind, &Party::Modern, Instant::now())
                    .await,
            );
        });
    }

    /// A stream that was being relayed broke.
    pub(in crate::mcp_proxy) fn note_stream(&self, error: &UpstreamError) {
        if error.condemns() {
            self.note(Err(error));
        }
    }

    /// Passes a client's notification on, in the background.
    pub(in crate::mcp_proxy) fn notify_soon(
        self: &Arc<Self>,
        party: Party,
        make: impl FnOnce(&Lane) -> Outgoing + Send + 'static,
    ) {
        let upstream = Arc::clone(self);
        let clock = Clock::start(&self.config.timeouts).within(super::catalogue::PATIENCE);
        self.spawn(async move {
            let sent = async {
                let lane = upstream.lane(&party, &clock).await?;
                upstream.wire.post(&lane, &make(&lane), &clock).await
            };
            if let Err(error) = sent.await {
                debug!(%error, "notification not delivered");
            }
        });
    }
}

impl Drop for Upstream {
    /// Ends the session of an upstream that no plan has any more.
    fn drop(&mut self) {
        let connected = self.connected.swap(None);
        let Some(Legacy::Open(session)) = connected.map(|connected| connected.legacy.clone())
        else {
            return;
        };
        let wire = self.wire.clone();
        self.spawn(async move {
            // 405 and silence are fine: the server keeps its sessions as it likes.
            drop(timeout(super::catalogue::PATIENCE, wire.end(&Lane::Legacy(session))).await);
        });
    }
}

/// Tells a legacy upstream that nobody waits for an answer any more.
///
/// In the modern era closing the stream says so. In a session it does not, so a
/// modern client that goes away must be spelled out to a legacy upstream; a
/// legacy client that goes away cancels nothing (2025-11-25, Transports,
/// "Sending Messages").
#[derive(Debug)]
pub(in crate::mcp_proxy) struct CancelGuard {
    armed: Option<(Arc<Upstream>, Lane, Id<'static>)>,
    on_drop: bool,
}

impl CancelGuard {
    pub(super) fn new(
        upstream: &Arc<Upstream>,
        lane: &Lane,
        id: &Id<'static>,
        client: Era,
    ) -> Self {
        let armed = match lane {
            Lane::Legacy(_) => Some((Arc::clone(upstream), lane.clone(), id.clone())),
            _ => None,
        };
        Self {
            armed,
            on_drop: client == Era::Modern,
        }
    }

    /// The answer came.
    pub(in crate::mcp_proxy) fn done(mut self) {
        self.armed = None;
    }

    /// No answer will be waited for: after a timeout the upstream is told in
    /// every case, after other failures it knows.
    pub(in crate::mcp_proxy) fn failed(mut self, error: &UpstreamError) {
        self.on_drop = matches!(error, UpstreamError::Idle(_) | UpstreamError::Total(_));
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if !self.on_drop {
            return;
        }
        if let Some((upstream, lane, id)) = self.armed.take() {
            let params = format!("{{\"requestId\":{id},\"reason\":\"the client went away\"}}");
            let text = message::notification("notifications/cancelled", Some(&params));
            upstream.post_soon(lane, Outgoing::plain("notifications/cancelled", text));
        }
    }
}
