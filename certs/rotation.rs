//! When a certificate is replaced. Pure decisions over two-thirds points.

use jiff::{SignedDuration, Timestamp};

use crate::Authority;
use crate::ca::{BACKDATE, after};

/// How long an authority is valid.
pub const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How long a leaf is valid.
pub const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a new authority must have been published before it signs: the API
/// servers of a cluster learn of a changed `caBundle` by their own watches.
pub const PUBLISH_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// Age at which the next authority is introduced (two thirds).
const CA_RENEW_AT: SignedDuration = SignedDuration::from_hours(365 * 16);
/// Age at which a leaf is replaced (two thirds).
pub(crate) const LEAF_RENEW_AT: SignedDuration = SignedDuration::from_hours(7 * 16);
/// A leaf issued this far in the future is replaced: the clock was wrong.
pub(crate) const BACKWARD_TOLERANCE: SignedDuration = BACKDATE;

/// What has to happen to an [`Authority`] now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// Make the next authority and publish it beside the current one.
    Introduce,
    /// The next authority is known everywhere: let it sign.
    Promote,
    /// No leaf of the retired authority can be alive: drop it from the bundle.
    Retire,
    /// The current authority has expired, nothing verifies: start again.
    Replace,
}

/// The step that is due at `now`.
///
/// `published_since` is when every webhook configuration was first seen to
/// carry the bundle of this authority, or `None` while one does not. A leader
/// that just took over starts counting again: waiting too long is harmless.
pub(crate) fn due(
    authority: &Authority,
    published_since: Option<Timestamp>,
    now: Timestamp,
) -> Step {
    let current = &authority.current.cert;
    if now >= current.not_after {
        return Step::Replace;
    }
    if authority.next.is_some() {
        let known = published_since.is_some_and(|since| now >= after(since, PUBLISH_WAIT));
        return if known { Step::Promote } else { Step::Keep };
    }
    if let Some(retired) = &authority.retired {
        let last_leaf_gone = now >= after(retired.since, LEAF_LIFETIME);
        return if last_leaf_gone || now >= retired.cert.not_after {
            Step::Retire
        } else {
            Step::Keep
        };
    }
    if now >= after(current.not_before, CA_RENEW_AT) {
        Step::Introduce
    } else {
        Step::Keep
    }
}
