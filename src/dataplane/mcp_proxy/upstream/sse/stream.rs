//! One open stream, and the messages on it that belong to one reader.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use agentkube_mcp::{Id, MAX_DEPTH, Message};
use bytes::Bytes;
use http::Uri;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Streams, UpstreamError};
use crate::stdio::inbox::{Inbox, Mail};

/// Answers of our own that may be on their way in one session at once.
pub(super) const REFUSALS: usize = 16;

/// An open session.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: String,
    /// Where its messages are posted.
    pub(super) post_to: Uri,
    pub(super) inbox: Inbox,
    /// Places for answers of our own.
    pub(super) refusals: Arc<Semaphore>,
    used: Mutex<Instant>,
    /// Why it ended.
    ended: OnceLock<UpstreamError>,
    /// It is being asked for a sign of life.
    asked: AtomicBool,
    pub(super) stop: CancellationToken,
}

impl Stream {
    /// A session whose messages have at most so many bytes.
    pub(super) fn new(id: String, post_to: Uri, limit: usize, stop: CancellationToken) -> Self {
        Self {
            id,
            post_to,
            inbox: Inbox::new(limit),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            used: Mutex::new(Instant::now()),
            ended: OnceLock::new(),
            asked: AtomicBool::new(false),
            stop,
        }
    }

    /// Somebody uses it.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When it will have been idle for so long, if nobody uses it until then.
    pub(super) fn idle_at(&self, idle: Duration) -> Instant {
        if self.inbox.is_busy() || self.inbox.is_heard() {
            self.touch();
        }
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) + idle
    }

    /// True when somebody asks it for a sign of life already, or it is over; else the
    /// caller does now.
    pub(super) fn is_asked(&self) -> bool {
        self.ended.get().is_some() || self.asked.swap(true, Ordering::Relaxed)
    }

    /// It answered, or did not.
    pub(super) fn was_asked(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Nothing comes any more: whoever waits learns why.
    pub(super) fn close(&self, reason: UpstreamError) {
        // The first reason is the true one.
        let _ = self.ended.set(reason);
        self.inbox.close();
    }

    fn reason(&self) -> UpstreamError {
        self.ended.get().cloned().unwrap_or(UpstreamError::Cut)
    }
}

/// The messages of a stream that belong to one call, or to none. A part that is
/// dropped before its answer came is forgotten.
#[derive(Debug)]
pub(in super::super) struct Part {
    streams: Weak<Streams>,
    stream: Arc<Stream>,
    id: Option<Id<'static>>,
    messages: Mail,
}

impl Part {
    /// What will belong to this request.
    pub(super) fn of(
        streams: &Arc<Streams>,
        stream: &Arc<Stream>,
        request: &Message<'_>,
    ) -> Result<Self, UpstreamError> {
        let Some(messages) = stream.inbox.expect(request) else {
            return Err(match stream.ended.get() {
                Some(_) => UpstreamError::SessionLost,
                None => UpstreamError::SameId,
            });
        };
        Ok(Self {
            streams: Arc::downgrade(streams),
            stream: Arc::clone(stream),
            id: request.id().map(|id| id.clone().into_owned()),
            messages,
        })
    }

    /// What belongs to no request.
    pub(super) fn whole(streams: &Arc<Streams>, stream: &Arc<Stream>) -> Self {
        Self {
            streams: Arc::downgrade(streams),
            stream: Arc::clone(stream),
            id: None,
            messages: stream.inbox.listen(),
        }
    }

    /// The next message. Waiting may be given up and begun anew.
    pub(in super::super) async fn next(&mut self) -> Result<Bytes, UpstreamError> {
        let message = self.messages.recv().await;
        message.ok_or_else(|| self.stream.reason())
    }

    /// True for the answer that it waits for.
    pub(super) fn is_answer(&self, bytes: &[u8]) -> bool {
        let Ok(message) = Message::decode(bytes, MAX_DEPTH) else {
            return false;
        };
        let is_ours = |id: &Id<'_>| self.id.as_ref().is_some_and(|own| own.is(id));
        message.method().is_none() && message.id().is_none_or(is_ours)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let unanswered = self
            .id
            .as_ref()
            .is_some_and(|id| self.stream.inbox.forget(id));
        self.stream.touch();
        if unanswered && let Some(streams) = self.streams.upgrade() {
            streams.look_at(&self.stream);
        }
    }
}
