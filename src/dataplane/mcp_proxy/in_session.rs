//! What a legacy client says in its session and nowhere else: answers to
//! questions, the log level, subscriptions, cancellations.

use std::sync::Arc;

use futures::future::join_all;
use http::StatusCode;

use agentkube_mcp::session::AskToken;
use agentkube_mcp::{ErrorObject, Id, Message, capability, error, meta};

use super::desk::{self, Place};
use super::dispatch::{Caller, failure, upstream_error, upstream_failure};
use super::locate::{self, Found};
use super::peer;
use super::question;
use super::reply::Reply;
use super::sessions::Live;
use super::tasks;
use super::upstream::{Follow, Lane, MAX_FOLLOWED, Upstream, UpstreamError};

/// The levels of RFC 5424 (2025-11-25, Logging).
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// Takes a client's answer to the upstream, or to the replica, that asked.
pub(super) async fn answer(caller: &Caller<'_>, message: &Message<'_>) -> Reply {
    if let Some((live, ask)) = ours(caller, message) {
        return match caller.state.desk.place(&ask) {
            Place::Here => {
                let text = message.object().edit().finish();
                taken(caller.state.desk.deliver(live, &ask.id, text))
            }
            Place::At(address) => peer::pass_on(caller, address, message).await,
        };
    }
    let asked = caller
        .party
        .session()
        .zip(message.id())
        .and_then(|(live, id)| {
            let ask = question::asked(&caller.serving.sealer, live, id.as_json())?;
            let upstream = caller.serving.upstream(ask.from.upstream)?;
            let text = tasks::answer(caller, question::answer(message, &ask)?);
            Some((upstream, text, ask))
        });
    let Some((upstream, text, ask)) = asked else {
        return taken(false);
    };
    match upstream.deliver(&ask, text).await {
        Ok(()) => Reply::Accepted,
        Err(error) => {
            let error = upstream_error(&upstream.name, &error);
            Reply::failure(None, StatusCode::BAD_GATEWAY, &error)
        }
    }
}

/// The question of our own that this answers.
fn ours<'c>(caller: &'c Caller<'_>, message: &Message<'_>) -> Option<(&'c Live, AskToken)> {
    let (live, id) = caller.party.session().zip(message.id())?;
    let ask = question::asked(&caller.serving.sealer, live, id.as_json())?;
    (ask.from.upstream == desk::OURS).then_some((&**live, ask))
}

/// 202 for an answer that somebody waited for.
pub(super) fn taken(taken: bool) -> Reply {
    if taken {
        return Reply::Accepted;
    }
    let text = "nobody in this session asked for this response";
    let error = ErrorObject::new(error::INVALID_REQUEST, text);
    Reply::failure(None, StatusCode::BAD_REQUEST, &error)
}

/// `logging/setLevel`: to every upstream that logs.
pub(super) async fn set_level(caller: &Caller<'_>, message: &Message<'_>, id: &Id<'_>) -> Reply {
    let level = message.param("level");
    let Some(level) = level.filter(|level| LEVELS.contains(&level.as_ref())) else {
        let text = format!("params.level must be one of {}", LEVELS.join(", "));
        let error = ErrorObject::new(error::INVALID_PARAMS, text);
        return failure(caller, id, &error);
    };
    let Some(live) = caller.party.session() else {
        return needs_session(id);
    };
    live.set_level(&level);
    let upstreams = &caller.serving.upstreams;
    let params = message.object().value("params").unwrap_or("{}");
    let outcomes = upstreams
        .iter()
        .map(|upstream| tell_level(caller, upstream, params));
    let outcomes = join_all(outcomes).await;
    if outcomes.iter().any(|outcome| matches!(outcome, Ok(true))) {
        return Reply::result(id, "{}");
    }
    let failed = upstreams
        .iter()
        .zip(&outcomes)
        .find_map(|(upstream, outcome)| Some((&upstream.name, outcome.as_ref().err()?)));
    match failed {
        Some((name, error)) => upstream_failure(caller, id, name, error),
        None => failure(caller, id, &ErrorObject::unknown_method("logging/setLevel")),
    }
}

/// False when the upstream does not log to its clients.
async fn tell_level(
    caller: &Caller<'_>,
    upstream: &Arc<Upstream>,
    params: &str,
) -> Result<bool, UpstreamError> {
    // A session that another replica opened does not say what the upstream can do.
    let offered = upstream.greet(&super::party::Party::Legacy).await?;
    let offers = offered
        .offer()
        .is_some_and(|offer| capability::offers(&offer.capabilities, "logging"));
    if offers && let Lane::Legacy(_) = offered {
        upstream
            .put(caller.party, "logging/setLevel", params)
            .await?;
    }
    Ok(offers)
}

/// Follows a resource, or no longer: the request goes to who owns it. `None` when
/// there is nothing to be sent: a modern upstream is listened to by the session's
/// stream, which says what it wants to hear.
pub(super) async fn subscription(
    caller: &Caller<'_>,
    message: &Message<'_>,
    follows: bool,
) -> Result<Option<Found>, ErrorObject> {
    let uri = message.param("uri").ok_or_else(|| locate::missing("uri"))?;
    let Some(live) = caller.party.session() else {
        return Err(session_missing());
    };
    let upstream = locate::resource_owner(caller, &uri).await?;
    let link = live.link(upstream.fingerprint);
    if follows && !link.may_follow(&uri) {
        let text = format!("this session follows {MAX_FOLLOWED} resources: unsubscribe from some");
        return Err(ErrorObject::new(error::INVALID_PARAMS, text));
    }
    if !upstream.is_modern_for(caller.party).await {
        return Ok(Some(Found {
            repeatable: true,
            ..Found::whole(upstream)
        }));
    }
    let lane = upstream.greet(caller.party).await.ok();
    let offer = lane.as_ref().and_then(Lane::offer);
    let offers =
        offer.is_some_and(|it| capability::promises(&it.capabilities, "resources", "subscribe"));
    if !offers || !may_listen(caller, live) {
        let method = message.method().unwrap_or_default();
        return Err(ErrorObject::unknown_method(method));
    }
    Follow::new(link, uri.into_owned(), follows).agreed();
    Ok(None)
}

/// True when what a session follows at modern upstreams is known where its stream is:
/// no other replica may have either of them.
pub(super) fn may_listen(caller: &Caller<'_>, live: &Live) -> bool {
    caller.serving.loaded.plan.alone || live.is_on_stream()
}

/// A client's notification; false for one that means nothing special.
pub(super) fn notification(
    caller: &Caller<'_>,
    live: &Arc<Live>,
    message: &Message<'_>,
    method: &str,
) -> bool {
    let text = || message.object().edit().finish();
    let all = || {
        let upstreams = caller.serving.upstreams.iter();
        upstreams.for_each(|upstream| upstream.tell(live, method, text()));
    };
    match method {
        "notifications/cancelled" => {
            let id = message
                .params()
                .and_then(|params| params.value("requestId"));
            match id.and_then(|id| live.call(id)) {
                Some(call) => {
                    call.cancelled.cancel();
                    if let Some(upstream) = caller.serving.upstream(call.upstream) {
                        upstream.tell(live, method, text());
                    }
                }
                // The call may have come to another replica: ids are unique in
                // the session, so whoever does not know it ignores it.
                None => all(),
            }
        }
        "notifications/roots/list_changed" => all(),
        "notifications/progress" => progress(caller, live, message),
        _ => return false,
    }
    true
}

/// Progress of an answer goes to who asked the question.
fn progress(caller: &Caller<'_>, live: &Arc<Live>, message: &Message<'_>) {
    let told = message.params().and_then(|params| {
        let token = params.value(meta::PROGRESS_TOKEN)?;
        let ask = question::asked(&caller.serving.sealer, live, token)?;
        let upstream = caller.serving.upstream(ask.from.upstream)?;
        let params = params.edit().set(meta::PROGRESS_TOKEN, ask.id).finish();
        let text = message.object().edit().set("params", params).finish();
        Some((upstream, text))
    });
    if let Some((upstream, text)) = told {
        upstream.tell(live, "notifications/progress", text);
    }
}

fn session_missing() -> ErrorObject {
    let text = "this needs a session: initialize, and send the Mcp-Session-Id that comes back";
    ErrorObject::new(error::INVALID_REQUEST, text)
}

fn needs_session(id: &Id<'_>) -> Reply {
    Reply::failure(Some(id), StatusCode::BAD_REQUEST, &session_missing())
}
