//! The log level that a legacy client chose. Sessions are shared, so it is one
//! level for all; the latest choice counts.

use std::sync::{Arc, PoisonError};

use agentkube_mcp::{Era, Id, capability, json, message};
use tracing::debug;

use super::clock::Clock;
use super::exchange::Outgoing;
use super::{Lane, Upstream, UpstreamError};

const METHOD: &str = "logging/setLevel";

impl Upstream {
    /// The chosen level.
    pub(in crate::mcp_proxy) fn level(&self) -> Option<String> {
        self.level
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Chooses the level; false when the upstream does not log to its clients.
    pub(in crate::mcp_proxy) async fn set_level(
        self: &Arc<Self>,
        level: &str,
    ) -> Result<bool, UpstreamError> {
        let lane = self.greet(Era::Legacy).await?;
        if !lane
            .offer()
            .is_some_and(|offer| capability::offers(&offer.capabilities, "logging"))
        {
            return Ok(false);
        }
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level.to_owned());
        if let Lane::Legacy(_) = lane {
            let clock = Clock::start(&self.config.timeouts);
            self.question(Era::Legacy, METHOD, &clock, |_| params(level))
                .await?;
        }
        Ok(true)
    }

    /// Chooses the level again in a session that was just opened.
    pub(super) async fn restore_level(&self, lane: &Lane, clock: &Clock) {
        let Some(level) = self.level() else { return };
        let body = message::request(&Id::from(self.next_id()), METHOD, &params(&level));
        if let Err(error) = self
            .wire
            .post(lane, &Outgoing::plain(METHOD, body), clock)
            .await
        {
            debug!(upstream = %self.name, %error, "log level not restored");
        }
    }
}

fn params(level: &str) -> String {
    format!("{{\"level\":{}}}", json::quote(level))
}
