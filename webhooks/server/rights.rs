//! Asks whether the requester has the rights that a request needs, many at once.

use std::time::Duration;

use agentkube_crds::FieldError;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::ConfirmError;
use crate::rights::{Needed, Right, User, denied};

/// Time for all questions of a request together.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Questions at a time: an object may name thousands of Secrets.
const AT_ONCE: usize = 16;

/// Who knows what a user may do.
pub trait Rights: Send + Sync {
    /// Whether this user has this right.
    fn has(&self, user: User, right: Right) -> BoxFuture<'_, Result<bool, ConfirmError>>;
}

/// What denies. What could not be asked denies too: a right is not given by
/// whoever does not answer.
pub(super) async fn missing(rights: &dyn Rights, user: &User, needed: Needed) -> Vec<FieldError> {
    let deadline = Instant::now() + PATIENCE;
    let asked = needed.into_iter().map(|(right, fields)| async move {
        let answer = timeout_at(deadline, rights.has(user.clone(), right.clone())).await;
        match answer {
            Ok(Ok(true)) => Vec::new(),
            Ok(Ok(false)) => denied(&right, &fields, &right.refusal(user)),
            failed => {
                let error = failed.ok().and_then(Result::err);
                warn!(?right, ?error, "could not ask what a user may do");
                let message = format!("could not check, try again: whether {}", right.question());
                denied(&right, &fields, &message)
            }
        }
    });
    let denials: Vec<Vec<FieldError>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    denials.into_iter().flatten().collect()
}
