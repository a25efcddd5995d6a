//! For whom an upstream is spoken to.

use std::sync::Arc;

use agentkube_mcp::Era;

use super::sessions::Live;

/// Who stands behind a request to an upstream.
#[derive(Clone, Debug)]
pub(super) enum Party {
    /// A modern client, or the proxy itself.
    Modern,
    /// A legacy client that opened no session.
    Legacy,
    /// A client on a stream of its own, before it was greeted.
    Opening,
    /// A legacy client in its session.
    Session(Arc<Live>),
}

impl Party {
    /// The era that it speaks.
    pub(super) fn era(&self) -> Era {
        match self {
            Self::Modern => Era::Modern,
            Self::Legacy | Self::Opening | Self::Session(_) => Era::Legacy,
        }
    }

    /// Its session.
    pub(super) fn session(&self) -> Option<&Arc<Live>> {
        match self {
            Self::Session(live) => Some(live),
            Self::Modern | Self::Legacy | Self::Opening => None,
        }
    }
}
