//! What a replica that ends knows of sessions, told to those that stay.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, timeout_at};

use super::word::{Known, Word};
use super::{PATIENCE, Teller, has_others};
use crate::mcp_proxy::proxy::State;

/// Sessions that are told of at once.
const AT_ONCE: usize = 32;

/// Tells the others what is known here of all sessions, before their streams end and
/// their clients come to another replica: after a rollout none may be left that was told
/// when it was said.
pub(in crate::mcp_proxy) async fn hand_over(state: &Arc<State>) {
    let Some((serving, here)) = state.serving().zip(state.relays.here()) else {
        return;
    };
    if !has_others(state, &serving) {
        return;
    }
    let until = Instant::now() + PATIENCE;
    let known = state.sessions.all().into_iter().filter_map(|live| {
        let known = Known::of(&live, &serving);
        let teller = || Teller::of_live(state, &serving, here.address, &live);
        (!known.is_empty()).then(teller).flatten().zip(Some(known))
    });
    let told = stream::iter(known).for_each_concurrent(AT_ONCE, async |(teller, known)| {
        teller.ask(&Word::Known(known), until).await;
    });
    // What is not told by then is lost, as when the Pod dies.
    drop(timeout_at(until, told).await);
}
