//! Reads a request body whole, within a limit and without waiting for ever.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// Between two pieces of a request body; a client that is slower is cut off.
const IDLE: Duration = Duration::from_secs(30);

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
    let too_large = CollectError::TooLarge { limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let mut body = pin!(body);
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let Some(second) = next(&mut body).await? else {
        return Ok(first);
    };
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut whole = BytesMut::with_capacity(
        (first.len() + second.len())
            .saturating_add(expected)
            .min(limit),
    );
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > limit {
            return Err(too_large);
        }
        whole.extend_from_slice(&bytes);
        piece = next(&mut body).await?;
    }
    Ok(whole.freeze())
}

async fn next<B>(body: &mut std::pin::Pin<&mut B>) -> Result<Option<Bytes>, CollectError>
where
    B: Body<Data = Bytes>,
{
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame())
            .await
            .map_err(|_| CollectError::Stalled)?;
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
