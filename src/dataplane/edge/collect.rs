//! Reads a request body whole, within a limit and without waiting for ever.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use super::HeldBytes;

/// Between two pieces of a request body; a client that is slower is cut off.
const IDLE: Duration = Duration::from_secs(30);

/// For a whole body: a drop every few seconds would hold a permit for days.
const WHOLE: Duration = Duration::from_secs(300);

/// Reserved at most before the bytes are there: an announced length costs its
/// sender nothing.
const RESERVE: usize = 1024 * 1024;

/// Of a body that nobody will use, how much is still read.
const DISCARD: usize = 32 * 1024 * 1024;

/// And for how long.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// More bytes than allowed: 413.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// The client stopped sending: 408.
    #[error("the request body did not arrive in time")]
    Stalled,
    /// Too many bodies are under way: 503.
    #[error("the gateway holds too many request bodies; try again later")]
    Full,
    /// The connection broke, or the framing is wrong: 400.
    #[error("the request body ended early")]
    Cut,
}

/// The whole body, without a copy when it comes in one piece.
///
/// # Errors
/// When it is larger than `limit`, announced or not, when it stalls and when it
/// is cut.
pub async fn collect<B>(body: B, limit: usize) -> Result<Bytes, CollectError>
where
    B: Body<Data = Bytes>,
{
    collect_held(body, limit, &mut HeldBytes::unbounded()).await
}

/// The whole body; `held` is the room that it takes among others.
///
/// # Errors
/// As [`collect`], and when there is no room for it.
pub async fn collect_held<B>(
    body: B,
    limit: usize,
    held: &mut HeldBytes,
) -> Result<Bytes, CollectError>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let result = {
        let read = pin!(join(body.as_mut(), limit, held));
        within(WHOLE, read).await.ok_or(CollectError::Stalled)?
    };
    if let Err(CollectError::TooLarge { .. } | CollectError::Full) = result {
        // What was read of it is gone already.
        held.release();
        Box::pin(discard(body)).await;
    }
    result
}

async fn join<B>(
    mut body: Pin<&mut B>,
    limit: usize,
    held: &mut HeldBytes,
) -> Result<Bytes, CollectError>
where
    B: Body<Data = Bytes>,
{
    let too_large = CollectError::TooLarge { limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large);
    }
    held.take(first.len())?;
    if body.is_end_stream() {
        return Ok(first);
    }
    let Some(second) = next(&mut body).await? else {
        return Ok(first);
    };
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut whole = BytesMut::with_capacity(
        (first.len() + second.len())
            .saturating_add(expected.min(RESERVE))
            .min(limit),
    );
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > limit {
            return Err(too_large);
        }
        held.take(bytes.len())?;
        whole.extend_from_slice(&bytes);
        piece = next(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// Reads what is left of a body that nobody will use, within bounds.
///
/// A connection that is closed while bytes of the client are unread is reset, and
/// the reset may overtake the answer that says why: call this before a refusal
/// that does not need the body.
pub async fn discard<B>(body: B)
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let read = async {
        let mut left = DISCARD;
        while let Ok(Some(bytes)) = next(&mut body).await {
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whatever the reason that it ended: the answer goes out now.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

async fn next<B>(body: &mut std::pin::Pin<&mut B>) -> Result<Option<Bytes>, CollectError>
where
    B: Body<Data = Bytes>,
{
    loop {
        let frame = pin!(body.frame());
        let frame = within(IDLE, frame).await.ok_or(CollectError::Stalled)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(CollectError::Cut),
            // Trailers of a request carry nothing that we use.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The output of what mostly is there already: no timer is made for it then.
async fn within<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        return Some(output);
    }
    tokio::time::timeout(limit, future).await.ok()
}
