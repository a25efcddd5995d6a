//! What replicas say to each other of a session.

use agentkube_mcp::session::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::sessions::{Level, Live};
use crate::mcp_proxy::upstream::Follow;

/// Bytes of what a replica tells of one session; what does not fit is not told. So
/// many resources with URIs of ordinary length may be followed.
const MAX_TOLD: usize = 512 * 1024;

/// What one replica tells the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "word")]
pub(in crate::mcp_proxy) enum Word {
    /// The client cancels this request, in this message; both as JSON text.
    Cancelled { request: String, message: String },
    /// The client ended the session.
    Ended,
    /// The client follows a resource of a modern upstream, or no longer.
    Follows {
        upstream: Fingerprint,
        uri: String,
        follows: bool,
    },
    /// A replica that ends knew this.
    Known(Known),
    /// The client chose a log level.
    Level(Level),
    /// The session's stream was opened at this time, in milliseconds since 1970: what is
    /// known of the session?
    Streams { at: u64 },
}

/// What a replica knows of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::mcp_proxy) struct Known {
    /// It was ended.
    #[serde(default)]
    over: bool,
    level: Option<Level>,
    follows: Vec<(Fingerprint, Vec<String>)>,
}

impl Known {
    /// What is known here.
    pub(super) fn of(live: &Live, serving: &Serving) -> Self {
        let mut room = MAX_TOLD;
        let mut fits = |uri: &String| {
            let left = room.checked_sub(uri.len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let upstreams = serving.upstreams.iter().map(|it| it.fingerprint);
        let follows = upstreams.filter_map(|upstream| {
            let mut uris = live.linked(upstream)?.subscriptions();
            uris.retain(&mut fits);
            (!uris.is_empty()).then_some((upstream, uris))
        });
        Self {
            over: false,
            follows: follows.collect(),
            level: live.chosen_level(),
        }
    }

    /// That it was ended.
    pub(super) fn over() -> Self {
        Self {
            over: true,
            ..Self::default()
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn is_empty(&self) -> bool {
        self.level.is_none() && self.follows.is_empty()
    }

    /// Adds what another replica knows.
    pub(super) fn add_to(self, live: &Live, serving: &Serving) {
        if let Some(level) = self.level {
            live.choose_level(level);
        }
        for (upstream, uris) in self.follows {
            for uri in uris {
                follow(live, serving, upstream, uri, true);
            }
        }
    }
}

/// The session follows this, or no longer, if that upstream is served here.
pub(super) fn follow(
    live: &Live,
    serving: &Serving,
    upstream: Fingerprint,
    uri: String,
    follows: bool,
) {
    if serving.upstream(upstream).is_some() {
        Follow::new(live.link(upstream), uri, follows).agreed();
    }
}
