//! An answer of another replica on its way to the client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::edge::BoxError;
use crate::mcp_proxy::calls::Call;
use crate::mcp_proxy::relay::KEEP_ALIVE;
use crate::upstream::UpstreamBody;

/// Between two pieces: the other replica says that it is alive three times as often.
const SILENCE: Duration = KEEP_ALIVE.saturating_mul(3);

/// The other replica says nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the replica that serves this session is silent")]
struct Silent;

/// The answer as it comes, cut where it is cut; it ends when `until` does.
pub(super) fn passing(
    body: UpstreamBody,
    until: Option<CancellationToken>,
    call: Option<Call>,
) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send {
    Passing {
        body: Some(body),
        until: until.map(|until| Box::pin(until.cancelled_owned())),
        silence: Box::pin(sleep(SILENCE)),
        call,
    }
}

struct Passing {
    body: Option<UpstreamBody>,
    until: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    silence: Pin<Box<Sleep>>,
    call: Option<Call>,
}

impl Passing {
    /// The connection to the other replica goes with the body.
    fn end(&mut self) {
        self.body = None;
        self.call = None;
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            match &frame {
                Some(Ok(_)) => self.silence.as_mut().reset(Instant::now() + SILENCE),
                Some(Err(_)) | None => self.end(),
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        if let Some(until) = &mut self.until
            && until.as_mut().poll(cx).is_ready()
        {
            self.end();
            return Poll::Ready(None);
        }
        ready!(self.silence.as_mut().poll(cx));
        self.end();
        Poll::Ready(Some(Err(Silent.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
