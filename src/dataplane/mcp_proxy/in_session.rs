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
use super::serving::Serving;
use super::sessions::Live;
use super::tasks;
use super::telling::{self, Teller, Word};
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

/// A client does not want an answer any more.
const CANCELLED: &str = "notifications/cancelled";

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
    let chosen = live.choose_level_now(level.into_owned());
    let teller = Teller::of_caller(caller);
    let told = async {
        if let Some(teller) = teller {
            teller.tell(Word::Level(chosen)).await;
        }
    };
    let upstreams = &caller.serving.upstreams;
    let params = message.object().value("params").unwrap_or("{}");
    let outcomes = upstreams
        .iter()
        .map(|upstream| tell_level(caller, upstream, params));
    let (outcomes, ()) = tokio::join!(join_all(outcomes), told);
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
    let uri = uri.into_owned();
    Follow::new(link, uri.clone(), follows).agreed();
    if let Some(teller) = Teller::of_caller(caller) {
        let upstream = upstream.fingerprint;
        let word = Word::Follows {
            upstream,
            uri,
            follows,
        };
        teller.tell(word).await;
    }
    Ok(None)
}

/// True when what a session follows at modern upstreams is known where its stream is:
/// no other replica may have either of them, or it is told.
pub(super) fn may_listen(caller: &Caller<'_>, live: &Live) -> bool {
    let (state, serving) = (caller.state, caller.serving);
    serving.loaded.plan.alone || live.is_on_stream() || telling::has_others(state, serving)
}

/// Ends a call that is under way here, as its client asks in this message, and tells its
/// upstream; false when there is no such call.
pub(super) fn cancel(serving: &Serving, live: &Live, request: &str, message: &str) -> bool {
    let Some(call) = live.call(request) else {
        return false;
    };
    call.cancelled.cancel();
    if let Some(upstream) = serving.upstream(call.upstream) {
        upstream.tell(live, CANCELLED, message.to_owned());
    }
    true
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
        CANCELLED => {
            let params = message.params();
            let request = params.and_then(|params| params.value("requestId"));
            let here = request.is_some_and(|it| cancel(caller.serving, live, it, &text()));
            if !here {
                // The call may have come to another replica: ids are unique in
                // the session, so whoever does not know it ignores it.
                all();
            }
            if let (false, Some(request), Some(teller)) = (here, request, Teller::of_caller(caller))
            {
                teller.tell_soon(&Word::Cancelled {
                    request: request.to_owned(),
                    message: text(),
                });
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
