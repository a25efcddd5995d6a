//! What an upstream tells outside of calls, for clients that share it.
//!
//! A modern upstream opens a stream for whoever listens. With a legacy one the
//! proxy has one session and so one stream: one listener reads it for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agentkube_mcp::{Era, Id, Kind, MAX_DEPTH, Message, capability, json, message, probe, task};
use tokio::sync::{Notify, broadcast, watch};
use tracing::debug;

use super::clock::Clock;
use super::exchange::{Answer, Outgoing};
use super::lane::Session;
use super::{Events, Hop, Lane, Upstream, UpstreamError, catalogue};
use crate::apart::{Left, apart};
use crate::mcp_proxy::party::Party;
use crate::mcp_proxy::pauses::Pauses;

/// Changes that a slow listener may be behind; what it misses are notices that
/// something changed, and the next one says so again.
const MAX_BEHIND: usize = 64;

/// The changes of one upstream.
#[derive(Debug)]
pub(super) struct Changes {
    told: broadcast::Sender<Arc<str>>,
    /// What only the proxy saw, for clients that hear the rest from the upstream in
    /// their own sessions.
    seen: broadcast::Sender<Arc<str>>,
    /// The list of tools could not be read when it was last asked for.
    missed: AtomicBool,
    /// Wakes who looks after the upstream.
    look: Notify,
    /// Held by the listener that reads the stream of the shared session.
    reading: tokio::sync::Mutex<()>,
    /// Resources that listeners follow in the shared session, and how many do.
    followed: Mutex<HashMap<String, usize>>,
    /// The session in which they were followed.
    followed_at: Mutex<Option<Arc<Session>>>,
    /// Counts the lanes that were opened.
    opened: watch::Sender<u64>,
}

/// Why the stream of the shared session is not read any more.
enum Ended {
    /// The upstream speaks the modern era: each listener has a stream of its own.
    Modern,
    /// Another session took the place of this one.
    Replaced,
    /// The upstream ended it.
    Stream,
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
            seen: broadcast::Sender::new(MAX_BEHIND),
            missed: AtomicBool::new(false),
            look: Notify::new(),
            reading: tokio::sync::Mutex::default(),
            followed: Mutex::default(),
            followed_at: Mutex::default(),
            opened: watch::Sender::default(),
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
                uri.is_some_and(|uri| self.uris.iter().any(|it| is_part_of(&uri, it)))
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

/// A server may tell of a part of what is followed (2026-07-28, Resources): of what
/// comes after a `/`, `?` or `#`, not of another resource that begins alike.
fn is_part_of(uri: &str, whole: &str) -> bool {
    match uri.strip_prefix(whole) {
        None => false,
        Some("") => true,
        Some(rest) => whole.ends_with('/') || rest.starts_with(['/', '?', '#']),
    }
}

impl Upstream {
    /// The notifications that concern everybody, from now on.
    pub(in crate::mcp_proxy) fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.told.subscribe()
    }

    /// The changes that the upstream tells nobody, from now on.
    pub(in crate::mcp_proxy) fn seen(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.seen.subscribe()
    }

    /// The proxy itself changed the tools that clients see.
    pub(super) fn tell_tools_changed(&self) {
        self.tell_changed("tools", true);
    }

    /// The proxy itself saw that the upstream changed its tools.
    pub(super) fn tell_tools_differ(&self) {
        let tells = |it: &str| capability::promises(it, "tools", "listChanged");
        self.tell_changed("tools", !self.says_of_itself(tells));
    }

    /// The list of tools could not be read, for whichever client.
    pub(in crate::mcp_proxy) fn note_missed(&self) {
        self.changes.missed.store(true, Ordering::Relaxed);
        self.changes.look.notify_one();
    }

    /// It could be read. After a failure clients are told: what they read meanwhile
    /// was without it.
    pub(super) fn note_read(&self) {
        if !self.changes.missed.swap(false, Ordering::Relaxed) {
            return;
        }
        for list in ["tools", "prompts", "resources"] {
            let offers = |it: &str| capability::offers(it, list);
            if list == "tools" || self.says_of_itself(offers) {
                self.tell_changed(list, true);
            }
        }
    }

    /// Waits until the list of tools could not be read.
    pub(in crate::mcp_proxy) async fn missed(&self) {
        self.changes.look.notified().await;
    }

    /// Without listeners nobody is told.
    fn tell_changed(&self, list: &str, only_seen: bool) {
        let method = format!("notifications/{list}/list_changed");
        let text: Arc<str> = message::notification(&method, None).into();
        if only_seen {
            let _ = self.changes.seen.send(Arc::clone(&text));
        }
        let _ = self.changes.told.send(text);
    }

    /// Reads what the upstream tells everybody, for as long as it speaks the legacy
    /// era. Of all that call this one reads at a time, the others wait to take its
    /// place.
    pub(in crate::mcp_proxy) async fn read_changes(self: &Arc<Self>) {
        let upstream = Arc::clone(self);
        let reading = async move { upstream.read_in_turn().await };
        apart(Left::GivenUp, reading).await;
    }

    async fn read_in_turn(self: &Arc<Self>) {
        let _reading = self.changes.reading.lock().await;
        let mut pauses = Pauses::default();
        loop {
            match self.read_stream(&mut pauses).await {
                Ok(Ended::Modern) => return,
                Ok(Ended::Replaced) => continue,
                Ok(Ended::Stream) => {}
                Err(error) => debug!(upstream = %self.name, %error, "no stream of changes"),
            }
            pauses.pause().await;
        }
    }

    async fn read_stream(self: &Arc<Self>, pauses: &mut Pauses) -> Result<Ended, UpstreamError> {
        let clock = Clock::start(&self.config.timeouts).within(catalogue::PATIENCE);
        let party = Party::Modern;
        let mut opened = self.changes.opened.subscribe();
        let lane = self.lane(&party, &clock).await?;
        let Lane::Legacy(session) = &lane else {
            return Ok(Ended::Modern);
        };
        self.follow_again(&lane, session, &clock).await;
        let events = match self.wire.get(&lane, None, &clock).await {
            Err(UpstreamError::SessionLost) => {
                self.forget_session(&party, &lane, false);
                return Err(UpstreamError::SessionLost);
            }
            events => events?,
        };
        // Another call may find the session lost and open one: what is told is told
        // there from then on, whether or not this stream ends.
        let replaced = async { while opened.changed().await.is_ok() && self.is_open(session) {} };
        tokio::pin!(replaced);
        let Some(mut events) = events else {
            replaced.await;
            return Ok(Ended::Replaced);
        };
        pauses.opened();
        loop {
            let event = tokio::select! {
                event = events.next() => event?,
                () = &mut replaced => return Ok(Ended::Replaced),
            };
            match event {
                Some(bytes) => self.heard(&lane, &bytes),
                None => return Ok(Ended::Stream),
            }
        }
    }

    fn heard(self: &Arc<Self>, lane: &Lane, bytes: &[u8]) {
        let Ok(message) = Message::decode(bytes, MAX_DEPTH) else {
            return;
        };
        match message.kind() {
            Kind::Request { .. } => self.refuse_soon(lane, &message),
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

    /// A lane was opened: who listens on another one looks again.
    pub(super) fn tell_opened(&self) {
        self.changes.opened.send_modify(|count| *count += 1);
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
                let asked = self.put_on(&Party::Modern, "resources/subscribe", &params);
                match asked.await {
                    Ok(Lane::Legacy(session)) => {
                        let mut at = self.followed_at();
                        // In another one than before, all are followed again soon.
                        at.get_or_insert(session);
                    }
                    Ok(_) => {}
                    Err(error) => debug!(upstream = %self.name, %error, "not followed"),
                }
            }
        }
        Following {
            upstream: Arc::clone(self),
            uris,
        }
    }

    /// Follows in this session what was followed in the one before.
    async fn follow_again(&self, lane: &Lane, session: &Arc<Session>, clock: &Clock) {
        let before = self.followed_at().replace(Arc::clone(session));
        if before.is_none_or(|before| Arc::ptr_eq(&before, session)) {
            return;
        }
        let uris: Vec<_> = self.followed().keys().cloned().collect();
        for uri in uris {
            let params = format!("{{\"uri\":{}}}", json::quote(&uri));
            let id = Id::from(self.next_id());
            let body = message::request(&id, "resources/subscribe", &params);
            let outgoing = Outgoing::plain("resources/subscribe", body);
            if let Err(error) = self.wire.post(lane, &outgoing, clock).await {
                debug!(upstream = %self.name, %error, "not followed again");
            }
        }
    }

    fn followed_at(&self) -> std::sync::MutexGuard<'_, Option<Arc<Session>>> {
        let at = self.changes.followed_at.lock();
        at.unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_resource_that_begins_alike_is_no_part_of_what_is_followed() {
        for (uri, whole, part) in [
            ("file:///a", "file:///a", true),
            ("file:///a/b", "file:///a", true),
            ("file:///a#1", "file:///a", true),
            ("file:///a/b", "file:///a/", true),
            ("file:///ab", "file:///a", false),
            ("file:///a.bak", "file:///a", false),
            ("file:///", "file:///a", false),
        ] {
            assert_eq!(is_part_of(uri, whole), part, "{uri} of {whole}");
        }
    }
}
