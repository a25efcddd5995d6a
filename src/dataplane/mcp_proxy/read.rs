//! The list of one upstream, for a client that waits for those of the others too.

use std::sync::Arc;
use std::time::Duration;

use agentkube_mcp::method::ListKind;
use tokio::time::{Instant, timeout};

use super::dispatch::Caller;
use super::upstream::{Catalogue, Upstream, UpstreamError};

/// For a greeting and a page, each of which may take half of it. What takes longer is
/// read on without this client, and announced when it is there.
const AMONG_OTHERS: Duration = Duration::from_secs(20);

/// A list, or why there is none.
pub(super) type Read = Result<Arc<Catalogue>, UpstreamError>;

/// The list as it was asked for at `since` or later; [`UpstreamError::Slow`] of an upstream
/// that takes long and is not the only one.
pub(super) async fn read(
    caller: &Caller<'_>,
    upstream: &Arc<Upstream>,
    kind: ListKind,
    since: Instant,
) -> Read {
    let reading = upstream.catalogue(kind, caller.party, since);
    if caller.serving.only().is_some() {
        return reading.await;
    }
    if let Ok(read) = timeout(AMONG_OTHERS, reading).await {
        return read;
    }
    if kind == ListKind::Tools && upstream.known(kind, caller.party).is_none() {
        upstream.note_missed();
    }
    Err(UpstreamError::Slow(AMONG_OTHERS))
}

/// The same, to be shown: of an upstream that takes long the list as it was read before.
pub(super) async fn shown(
    caller: &Caller<'_>,
    upstream: &Arc<Upstream>,
    kind: ListKind,
    since: Instant,
) -> Read {
    match read(caller, upstream, kind, since).await {
        Err(slow @ UpstreamError::Slow(_)) => upstream.known(kind, caller.party).ok_or(slow),
        read => read,
    }
}
