//! When streams without an end must end: at the drain, and when another plan is
//! served that is not the same to their client.

use std::future::pending;
use std::sync::Arc;

use agentkube_mcp::message;

use super::proxy::State;
use super::serving::Serving;

/// Why such a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The server goes.
    Closing,
    /// Another plan is served: the client must come again, to be let in or not, and
    /// to be heard by other upstreams.
    Superseded,
}

/// Waits until a stream must end that this client opened under this plan.
pub(super) async fn over(state: Arc<State>, serving: Arc<Serving>, client: String) -> Over {
    tokio::select! {
        () = state.closing.cancelled() => Over::Closing,
        () = superseded(&state, serving, &client) => Over::Superseded,
    }
}

/// Waits until what is served is not the same any more to this client. A plan that
/// only admits somebody else ends nothing.
pub(super) async fn superseded(state: &State, mut serving: Arc<Serving>, client: &str) {
    let mut plans = state.plans();
    loop {
        match state.serving() {
            Some(next) if serving.is_same_for(client, &next) => serving = next,
            _ => return,
        }
        if !plans.changed().await {
            // What is served stays for good.
            return pending().await;
        }
    }
}

/// What is told of the lists when another plan is served.
pub(super) fn changed_lists() -> [String; 3] {
    ["tools", "prompts", "resources"].map(|list| {
        let method = format!("notifications/{list}/list_changed");
        message::notification(&method, None)
    })
}
