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

/// The list as it was asked for at `since` or later; of an upstream that takes long,
/// and is not the only one, as it was read before.
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
    upstream.known(kind, caller.party).ok_or_else(|| {
        if kind == ListKind::Tools {
            upstream.note_missed();
        }
        UpstreamError::Slow(AMONG_OTHERS)
    })
}
