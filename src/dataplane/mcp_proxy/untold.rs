//! A session of which its client was not told yet.
//!
//! Until the client has its id nobody can end it. Should the client go away before
//! that, what was opened for it at upstreams would stay there until it is idle.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::proxy::State;
use super::serving::Serving;
use super::sessions::Live;
use crate::edge::BoxError;

/// Ends the session when it is dropped, unless its client was told.
pub(super) struct Untold {
    state: Arc<State>,
    serving: Arc<Serving>,
    live: Option<Arc<Live>>,
}

impl Untold {
    pub(super) fn new(state: &Arc<State>, serving: &Arc<Serving>, live: Arc<Live>) -> Self {
        Self {
            state: Arc::clone(state),
            serving: Arc::clone(serving),
            live: Some(live),
        }
    }

    /// The client has its id.
    pub(super) fn told(mut self) {
        self.live = None;
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            // In this order: what is being opened for it now sees that it is over.
            self.state.sessions.end_untold(&live);
            self.serving.end_links(&live);
        }
    }
}

/// The bytes that tell the client, which is told as soon as they are taken.
pub(super) struct Telling {
    text: Option<Bytes>,
    untold: Option<Untold>,
}

impl Telling {
    pub(super) fn new(text: impl Into<Bytes>, untold: Untold) -> Self {
        Self {
            text: Some(text.into()),
            untold: Some(untold),
        }
    }
}

impl HttpBody for Telling {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(untold) = self.untold.take() {
            untold.told();
        }
        Poll::Ready(self.text.take().map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }
}
