//! What is done with a word of another replica.

use std::sync::Arc;

use agentkube_mcp::session::SessionToken;

use super::word::{Known, Word, follow};
use crate::mcp_proxy::in_session;
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::sessions;

/// Does what another replica was told by this client in the session of this id, and
/// answers with what it asked for. `None` when that is no session of this client that
/// is served here, no word, or there is no place to remember what it says.
pub(in crate::mcp_proxy) fn hear(
    state: &State,
    serving: &Arc<Serving>,
    client: &str,
    session: &str,
    word: &[u8],
) -> Option<Vec<u8>> {
    let plan = &serving.loaded.plan;
    let owner = sessions::owner(&plan.object, client);
    // The id opens for its owner only, and the session is found by what is in it.
    let Some(token) = state.sessions.open(&serving.sealer, &owner, session) else {
        if !state.sessions.has_ended(&serving.sealer, &owner, session) {
            return None;
        }
        return serde_json::to_vec(&Known::over()).ok();
    };
    if token.home.is_some() {
        return None;
    }
    let sessions = plan.limits.sessions;
    let find = || state.sessions.remembered(&token, &owner, sessions);
    let mut answer = Known::default();
    match serde_json::from_slice(word).ok()? {
        Word::Cancelled { request, message } => {
            if let Some(live) = state.sessions.known(&token) {
                in_session::cancel(serving, &live, &request, &message);
            }
        }
        Word::Ended => end(state, serving, &token),
        Word::Follows {
            upstream,
            uri,
            follows,
        } => follow(find()?.as_ref(), serving, upstream, uri, follows),
        Word::Known(known) => known.add_to(find()?.as_ref(), serving),
        Word::Level(level) => find()?.choose_level(level),
        Word::Streams { at } => {
            if let Some(live) = state.sessions.known(&token) {
                live.leave_stream(at);
                answer = Known::of(&live, serving);
            }
        }
    }
    serde_json::to_vec(&answer).ok()
}

/// Ends what is known here of a session. The upstreams' sessions that are in its id were
/// ended by who told.
fn end(state: &State, serving: &Serving, token: &SessionToken) {
    let Some(live) = state.sessions.end_of(token) else {
        return;
    };
    for upstream in &serving.upstreams {
        let link = live.linked(upstream.fingerprint);
        let own = link.filter(|link| {
            let opened = link.token(upstream.fingerprint);
            opened.is_some_and(|opened| !token.upstreams.contains(&opened))
        });
        if let Some(link) = own {
            upstream.end_link(&link);
        }
    }
}
