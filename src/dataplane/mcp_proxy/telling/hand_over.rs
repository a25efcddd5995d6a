//! What a replica that ends knows of sessions, told to those that stay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::word::{Known, Word};
use super::{PATIENCE, Silent, Teller, encoded, has_others, untold};
use crate::mcp_proxy::proxy::State;
use crate::mcp_proxy::serving::Serving;
use crate::mcp_proxy::sessions::Live;

/// Sessions that one replica is told of at once.
const AT_ONCE: usize = 8;

/// Tells the others what is known here of all sessions, before their streams end and
/// their clients come to another replica: after a rollout none may be left that was told
/// when it was said.
///
/// Each of the others is told for itself: one that is silent keeps no other from it. What
/// is not told in time is counted, and lost as when the Pod dies.
pub(in crate::mcp_proxy) async fn hand_over(state: &Arc<State>) {
    let Some((serving, here)) = state.serving().zip(state.relays.here()) else {
        return;
    };
    let sessions = state.sessions.all();
    if !has_others(state, &serving) || sessions.is_empty() {
        return;
    }
    let until = Instant::now() + PATIENCE;
    let peers = &serving.loaded.plan.peers;
    let found = state.telling.found.addresses(peers, until).await;
    if found.is_empty() {
        untold(state, "none is found");
    }
    let heir = |to: &SocketAddr| Heir {
        state,
        serving: &serving,
        here: here.address,
        to: *to,
        is_silent: AtomicBool::new(false),
    };
    let others = found.iter().filter(|address| **address != here.address);
    let heirs: Vec<_> = others.map(heir).collect();
    join_all(heirs.iter().map(|heir| heir.hears_all(&sessions, until))).await;
}

/// A replica that is told.
struct Heir<'s> {
    state: &'s Arc<State>,
    serving: &'s Arc<Serving>,
    here: SocketAddr,
    to: SocketAddr,
    /// It did not answer in time: it is asked no more.
    is_silent: AtomicBool,
}

impl Heir<'_> {
    async fn hears_all(&self, sessions: &[Arc<Live>], until: Instant) {
        stream::iter(sessions)
            .for_each_concurrent(AT_ONCE, |live| self.hears(live, until))
            .await;
    }

    /// Each reads the session anew: all of them at once are too much to keep.
    async fn hears(&self, live: &Live, until: Instant) {
        let known = Known::of(live, self.serving);
        if known.is_empty() {
            return;
        }
        let Some(teller) = Teller::of_live(self.state, self.serving, self.here, live) else {
            return;
        };
        if self.is_silent.load(Ordering::Relaxed) {
            untold(self.state, "it did not answer before");
            return;
        }
        let Some(text) = encoded(&Word::Known(known)) else {
            return;
        };
        if let Err(Silent) = teller.ask_one(self.to, &text, until).await {
            self.is_silent.store(true, Ordering::Relaxed);
        }
    }
}
