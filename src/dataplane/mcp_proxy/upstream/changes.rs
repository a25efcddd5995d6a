//! What an upstream tells outside of calls, for clients that share it.
//!
//! A modern upstream opens a stream for whoever listens. With a legacy one the
//! proxy has one session and so one stream: one listener reads it for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentkube_mcp::{Era, Id, Kind, MAX_DEPTH, Message, json, message, probe, task};
use tokio::sync::broadcast;
use tokio::time::sleep;
use tracing::debug;

use super::clock::Clock;
use super::exchange::{Answer, Outgoing};
use super::{Events, Hop, Lane, Upstream, UpstreamError, catalogue};
use crate::mcp_proxy::party::Party;

/// How long a stream is left alone after it ended.
const AGAIN: Duration = Duration::from_secs(2);

/// Changes that a slow listener may be behind; what it misses are notices that
/// something changed, and the next one says so again.
const MAX_BEHIND: usize = 64;

/// The changes of one upstream.
#[derive(Debug)]
pub(super) struct Changes {
    told: broadcast::Sender<Arc<str>>,
    /// Held by the listener that reads the stream of the shared session.
    reading: tokio::sync::Mutex<()>,
    /// Resources that listeners follow in the shared session, and how many do.
    followed: Mutex<HashMap<String, usize>>,
}

/// What a listener wants of one upstream.
#[derive(Clone, Debug, Default)]
pub(in crate::mcp_proxy) struct Wanted {
    pub(in crate::mcp_proxy) tools: bool,
    pub(in crate::mcp_proxy) prompts: bool,
    pub(in crate::mcp_proxy) resources: bool,
    /// Resources to follow.
    pub(in crate::mcp_proxy) uris: Vec<String>,
    /// Tasks to follow: the client's id of each, and the upstream's.
    pub(in crate::mcp_proxy) tasks: Vec<(String, String)>,
}

/// Who reads what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp_proxy) enum Side {
    Client,
    Upstream,
}

/// Ends the interest of a listener in resources.
#[derive(Debug)]
pub(in crate::mcp_proxy) struct Following {
    upstream: Arc<Upstream>,
    uris: Vec<String>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            told: broadcast::Sender::new(MAX_BEHIND),
            reading: tokio::sync::Mutex::default(),
            followed: Mutex::default(),
        }
    }
}

impl Wanted {
    /// True when this notification is one of those.
    pub(in crate::mcp_proxy) fn wants(&self, message: &Message<'_>) -> bool {
        match message.method() {
            Some("notifications/tools/list_changed") => self.tools,
            Some("notifications/prompts/list_changed") => self.prompts,
            Some("notifications/resources/list_changed") => self.resources,
            Some("notifications/resources/updated") => {
                let uri = message.param("uri");
                // A server may tell of a part of what is followed.
                uri.is_some_and(|uri| self.uris.iter().any(|it| uri.starts_with(it.as_str())))
            }
            Some("notifications/tasks") => {
                let id = message.param(task::ID);
                id.is_some_and(|id| self.tasks.iter().any(|(_, own)| *own == id))
            }
            _ => false,
        }
    }

    /// A notification about a followed task under the client's id of it.
    pub(in crate::mcp_proxy) fn renamed(&self, message: &Message<'_>) -> Option<String> {
        let (method, params) = (message.method()?, message.params()?);
        let of = |id: &str| {
            let found = self.tasks.iter().find(|(_, own)| own == id)?;
            Some(found.0.clone())
        };
        let params = task::in_params(method, params, of)?;
        Some(message.object().edit().set("params", params).finish())
    }

    /// As `notifications` of `subscriptions/listen`, as JSON text; to the client or to
    /// the upstream.
    pub(in crate::mcp_proxy) fn to_json(&self, to: Side) -> String {
        let flags = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        let flags = flags.iter().filter(|(_, wanted)| *wanted);
        let mut members: Vec<_> = flags.map(|(key, _)| format!("\"{key}\":true")).collect();
        if !self.uris.is_empty() {
            let uris: Vec<_> = self.uris.iter().map(|uri| json::quote(uri)).collect();
            members.push(format!("\"resourceSubscriptions\":[{}]", uris.join(",")));
        }
        if !self.tasks.is_empty() {
            let ids = self.tasks.iter().map(|(told, own)| match to {
                Side::Client => json::quote(told),
                Side::Upstream => json::quote(own),
            });
            let ids: Vec<_> = ids.collect();
            members.push(format!("\"taskIds\":[{}]", ids.join(",")));
        }
        format!("{{{}}}", members.join(","))
    }
}

impl Upstream {
    /// The notifications that concern everybody, from now on.
    pub(in crate::mcp_proxy) fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.told.subscribe()
    }

    /// The proxy itself saw that the tools changed.
    pub(super) fn tell_tools_changed(&self) {
        let text = message::notification("notifications/tools/list_changed", None);
        // Without listeners nobody is told.
        let _ = self.changes.told.send(text.into());
    }

    /// Reads what the upstream tells everybody, for ever. Of all that call this one
    /// reads at a time, the others wait to take its place.
    pub(in crate::mcp_proxy) async fn read_changes(self: &Arc<Self>) {
        let _reading = self.changes.reading.lock().await;
        loop {
            if let Err(error) = self.read_stream().await {
                debug!(upstream = %self.name, %error, "no stream of changes");
            }
            sleep(AGAIN).await;
        }
    }

    async fn read_stream(self: &Arc<Self>) -> Result<(), UpstreamError> {
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let party = Party::Modern;
        let lane = self.lane(&party, &clock).await?;
        if let Lane::Modern(_) = lane {
            return std::future::pending().await;
        }
        let events = match self.wire.get(&lane, None, &clock).await {
            Err(UpstreamError::SessionLost) => {
                self.forget_session(&party, &lane, false);
                let lane = self.lane(&party, &clock).await?;
                self.follow_again(&lane, &clock).await;
                self.wire.get(&lane, None, &clock).await?
            }
            events => events?,
        };
        let Some(mut events) = events else {
            return std::future::pending().await;
        };
        while let Some(bytes) = events.next().await? {
            let Ok(message) = Message::decode(&bytes, MAX_DEPTH) else {
                continue;
            };
            match message.kind() {
                Kind::Request { .. } => self.refuse_soon(&lane, &message),
                Kind::Notification { method } => {
                    if method == "notifications/tools/list_changed" {
                        self.read_again_soon(agentkube_mcp::method::ListKind::Tools);
                    }
                    let text = self.redact(message.object().edit().finish().into());
                    let _ = self.changes.told.send(text.as_ref().into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Follows resources in the shared session, until what is returned is dropped.
    pub(in crate::mcp_proxy) async fn follow(self: &Arc<Self>, uris: Vec<String>) -> Following {
        for uri in &uris {
            let is_first = {
                let mut followed = self.followed();
                let count = followed.entry(uri.clone()).or_default();
                *count += 1;
                *count == 1
            };
            if is_first {
                let params = format!("{{\"uri\":{}}}", json::quote(uri));
                let asked = self.put(&Party::Modern, "resources/subscribe", &params);
                if let Err(error) = asked.await {
                    debug!(upstream = %self.name, %error, "not followed");
                }
            }
        }
        Following {
            upstream: Arc::clone(self),
            uris,
        }
    }

    async fn follow_again(&self, lane: &Lane, clock: &Clock) {
        let uris: Vec<_> = self.followed().keys().cloned().collect();
        for uri in uris {
            let params = format!("{{\"uri\":{}}}", json::quote(&uri));
            let id = Id::from(self.next_id());
            let body = message::request(&id, "resources/subscribe", &params);
            let outgoing = Outgoing::plain("resources/subscribe", body);
            drop(self.wire.post(lane, &outgoing, clock).await);
        }
    }

    fn followed(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        let followed = self.changes.followed.lock();
        followed.unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a modern upstream's stream of changes; `None` for a legacy one.
    pub(in crate::mcp_proxy) async fn listen(
        self: &Arc<Self>,
        wanted: &Wanted,
    ) -> Result<Option<Events>, UpstreamError> {
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let party = Party::Modern;
        if self.lane(&party, &clock).await?.era() == Era::Legacy {
            return Ok(None);
        }
        let make = |_: &Lane, hop: &Hop| {
            let meta = probe::modern_meta(&self.client_info);
            let wanted = wanted.to_json(Side::Upstream);
            let params = format!("{{\"notifications\":{wanted},\"_meta\":{meta}}}");
            let method = "subscriptions/listen";
            Outgoing::plain(method, message::request(&hop.id, method, &params))
        };
        let asked = self.ask_within(&party, None, true, &clock, make).await?;
        match asked.answer {
            Answer::Events(mut events) => {
                events.endless();
                Ok(Some(*events))
            }
            _ => Err(UpstreamError::UnknownMethod),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        for uri in std::mem::take(&mut self.uris) {
            let is_last = {
                let mut followed = self.upstream.followed();
                let count = followed.get_mut(&uri).map(|count| {
                    *count = count.saturating_sub(1);
                    *count
                });
                if count == Some(0) {
                    followed.remove(&uri);
                }
                count == Some(0)
            };
            if is_last {
                let params = format!("{{\"uri\":{}}}", json::quote(&uri));
                let id = Id::from(self.upstream.next_id());
                let method = "resources/unsubscribe";
                let text = message::request(&id, method, &params);
                self.upstream
                    .notify_soon(Party::Modern, move |_| Outgoing::plain(method, text));
            }
        }
    }
}
