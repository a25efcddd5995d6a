//! Whether a stream is alive that said nothing.
//!
//! A connection that a machine on the way forgot looks like one on which nothing
//! happens, for ever. So when a call was given up before its answer came, the session
//! is asked for a sign of life, and ends without one.

use std::sync::Arc;

use agentkube_mcp::{Id, MAX_DEPTH, Message, message};
use bytes::Bytes;
use tokio::time::timeout;
use tracing::debug;

use super::stream::{Part, Stream};
use super::{Clock, Streams, UpstreamError, spawn};

impl Streams {
    /// Asks a session for a sign of life, in the background; one question at a time.
    pub(super) fn look_at(self: &Arc<Self>, stream: &Arc<Stream>) {
        let (streams, stream) = (Arc::clone(self), Arc::clone(stream));
        if stream.is_asked() {
            return;
        }
        drop(spawn(async move {
            let answer = timeout(streams.timeouts.idle, streams.ping(&stream)).await;
            stream.was_asked();
            if !matches!(answer, Ok(Ok(_))) {
                debug!("a stream without a sign of life");
                stream.stop.cancel();
                streams.held().remove(&stream.id);
            }
        }));
    }

    async fn ping(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<Bytes, UpstreamError> {
        let id = format!("\"{}\"", stream.id);
        let id = Id::parse(&id).ok_or(UpstreamError::SameId)?;
        let text = Bytes::from(message::request(&id, "ping", "{}"));
        let garbled = |error: agentkube_mcp::Malformed| UpstreamError::Garbled(error.to_string());
        let asked = Message::decode(&text, MAX_DEPTH).map_err(garbled)?;
        let mut part = Part::of(self, stream, &asked)?;
        let clock = Clock::start(&self.timeouts);
        self.deliver(stream, &text, &clock).await?;
        part.next().await
    }
}
