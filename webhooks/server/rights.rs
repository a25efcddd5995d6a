//! Asks whether the requester has the rights that a request needs, all at once.

use std::time::Duration;

use agentkube_crds::FieldError;
use futures::future::{BoxFuture, join_all};
use tokio::time::timeout;
use tracing::warn;

use super::ConfirmError;
use crate::rights::{Needed, Right, User, denied};

/// Time for all questions of a request together.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Who knows what a user may do.
pub trait Rights: Send + Sync {
    /// Whether this user has this right.
    fn has(&self, user: User, right: Right) -> BoxFuture<'_, Result<bool, ConfirmError>>;
}

/// What denies. What could not be asked denies too: a right is not given by
/// whoever does not answer.
pub(super) async fn missing(rights: &dyn Rights, user: &User, needed: Needed) -> Vec<FieldError> {
    let asked = needed.into_iter().map(|(right, fields)| async move {
        let answer = timeout(PATIENCE, rights.has(user.clone(), right.clone())).await;
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
    join_all(asked).await.into_iter().flatten().collect()
}
