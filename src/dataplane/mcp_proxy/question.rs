//! What an upstream asks a client, and the way back of the answer.
//!
//! The id of a question is sealed with where it came from, so that whichever
//! replica gets the client's answer finds the session that waits for it. Nobody
//! can make up such an id, nor use one in another session.

use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::AskToken;
use agentkube_mcp::{Id, Kind, Message, json, meta};

use super::sessions::Live;
use super::upstream::{Lane, Upstream};

/// Questions that come over one hop to one client.
pub(super) struct Questions<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) lane: &'a Lane,
    pub(super) live: &'a Live,
    pub(super) sealer: &'a Sealer,
}

impl Questions<'_> {
    /// A request of the upstream as the client gets it; `None` when its answer
    /// could not come back.
    pub(super) fn request(&self, message: &Message<'_>) -> Option<String> {
        let Kind::Request { id, .. } = message.kind() else {
            return None;
        };
        let mut edit = message.object().edit();
        edit.set("id", self.name(id.as_json())?);
        // The client reports progress under a token that leads here.
        if let (Some(params), Some(inner)) = (message.params(), message.meta())
            && let Some(token) = inner.value(meta::PROGRESS_TOKEN)
        {
            let token = self.name(token)?;
            let inner = inner.edit().set(meta::PROGRESS_TOKEN, token).finish();
            edit.set("params", params.edit().set("_meta", inner).finish());
        }
        Some(edit.finish())
    }

    /// A notification of the upstream as the client gets it.
    pub(super) fn notification(&self, message: &Message<'_>) -> String {
        let asked = match (message.method(), message.params()) {
            (Some("notifications/cancelled"), Some(params)) => {
                let id = params.value("requestId").and_then(|id| self.name(id));
                id.map(|id| params.edit().set("requestId", id).finish())
            }
            _ => None,
        };
        let mut edit = message.object().edit();
        if let Some(params) = asked {
            edit.set("params", params);
        }
        edit.finish()
    }

    /// An id or a token of the upstream as the client gets it, as JSON text.
    fn name(&self, id: &str) -> Option<String> {
        let Lane::Legacy(session) = self.lane else {
            return None;
        };
        let ask = AskToken {
            from: session.token(self.upstream.fingerprint),
            id: id.to_owned(),
        };
        let name = self
            .sealer
            .name(Purpose::Ask, &self.live.scope(), &ask.encode())?;
        Some(json::quote(&name))
    }
}

/// Where the answer with this id goes; `None` when nobody asked so in this
/// session.
pub(super) fn asked(sealer: &Sealer, live: &Live, id: &str) -> Option<AskToken> {
    let id = json::string(id)?;
    let plain = sealer.open(Purpose::Ask, &live.scope(), &id)?;
    AskToken::decode(&plain)
}

/// A client's response under the upstream's own id.
pub(super) fn answer(message: &Message<'_>, ask: &AskToken) -> Option<String> {
    Some(message.with_id(&Id::parse(&ask.id)?))
}
