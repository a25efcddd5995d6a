//! Answers over HTTP/2 whose client takes nothing of them.
//!
//! A client may keep the window of a stream closed for as long as it likes, and
//! answer pings meanwhile. The connection is busy with its other streams, so no
//! timer of the connection sees it, and the body is not even polled: it would hold
//! its permit and its upstream for ever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Body, BoxError};

/// A body that is dropped when its client takes nothing for too long.
pub(super) struct Guarded {
    shared: Arc<Mutex<Shared>>,
    watch: AbortHandle,
}

struct Shared {
    /// Gone when it was given up.
    body: Option<Box<Body>>,
    /// Since when it is the client's turn; none while it is the upstream's.
    offered: Option<Instant>,
}

impl Guarded {
    pub(super) fn new(body: Body, limit: Duration) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            body: Some(Box::new(body)),
            offered: Some(Instant::now()),
        }));
        let watch = tokio::spawn(watch(Arc::downgrade(&shared), limit));
        Self {
            shared,
            watch: watch.abort_handle(),
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut shared = lock(&self.shared);
        let Some(body) = &mut shared.body else {
            return Poll::Ready(Some(Err("the client took nothing of the answer".into())));
        };
        let frame = Pin::new(&mut **body).poll_frame(cx);
        shared.offered = frame.is_ready().then(Instant::now);
        frame
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        let body = shared.body.as_ref();
        body.is_some_and(|body| body.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let shared = lock(&self.shared);
        let body = shared.body.as_ref();
        body.map_or_else(SizeHint::default, |body| body.size_hint())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn watch(shared: Weak<Mutex<Shared>>, limit: Duration) {
    let mut due = Instant::now() + limit;
    loop {
        tokio::time::sleep_until(due).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let now = Instant::now();
        let mut shared = lock(&shared);
        due = shared.offered.unwrap_or(now) + limit;
        if due <= now {
            shared.body = None;
            return;
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    fn mk_body() -> (mpsc::Sender<&'static str>, Body) {
        let (sender, mut receiver) = mpsc::channel::<&'static str>(1);
        let frames = futures::stream::poll_fn(move |cx| {
            let text = receiver.poll_recv(cx);
            text.map(|text| text.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
        });
        let body = Body::stream(StreamBody::new(frames));
        (sender, body.guarded(LIMIT))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (sender, mut body) = mk_body();
        let since = Instant::now();
        sender.closed().await;
        assert_eq!(since.elapsed().as_secs(), LIMIT.as_secs());
        let end = body.frame().await.unwrap();
        assert!(end.is_err(), "the client cannot take it for the whole");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_for_its_upstream_is_not() {
        let (sender, mut body) = mk_body();
        let reader = tokio::spawn(async move { body.frame().await.unwrap().unwrap() });
        tokio::time::sleep(LIMIT * 5).await;
        sender.send("hi").await.unwrap();
        assert_eq!(reader.await.unwrap().into_data().unwrap(), "hi");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_once_counts_anew() {
        let (sender, mut body) = mk_body();
        tokio::time::sleep(LIMIT - Duration::from_secs(1)).await;
        sender.send("hi").await.unwrap();
        body.frame().await.unwrap().unwrap();
        let since = Instant::now();
        sender.closed().await;
        assert_eq!(since.elapsed().as_secs(), LIMIT.as_secs());
    }
}
