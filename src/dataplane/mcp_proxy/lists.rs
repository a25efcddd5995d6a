//! One list out of those of all upstreams.

use std::collections::HashSet;

use futures::future::join_all;
use tokio::time::Instant;

use agentkube_mcp::bridge::{self, Route};
use agentkube_mcp::list::{self, CacheHint};
use agentkube_mcp::method::{ListKind, Method};
use agentkube_mcp::{Era, ErrorObject, Id, Message, error, json};

use super::dispatch::{Caller, failure, upstream_failure};
use super::read::{Read, shown};
use super::reply::Reply;

/// Answers a list request: the lists of all upstreams in the order of the plan,
/// each in the order of its names, in one page.
///
/// An upstream that is down hides its own items only. When none can be read the
/// answer is an error, since an empty list would be a lie.
pub(super) async fn answer(
    caller: &Caller<'_>,
    message: &Message<'_>,
    id: &Id<'_>,
    kind: ListKind,
) -> Reply {
    if message
        .params()
        .is_some_and(|params| params.value("cursor").is_some())
    {
        let text = "unknown cursor: this list comes in one page";
        return failure(caller, id, &ErrorObject::new(error::INVALID_PARAMS, text));
    }
    let now = Instant::now();
    let upstreams = &caller.serving.upstreams;
    let lists = join_all(
        upstreams
            .iter()
            .map(|upstream| shown(caller, upstream, kind, now)),
    )
    .await;
    if let Some(reply) = nothing_read(caller, id, kind, &lists) {
        return reply;
    }
    let result = merged(caller, kind, &lists);
    let result = caller.serving.redact(result.into());
    // The merge spells the modern members itself, so both eras can be served.
    let route = Route {
        client: caller.era(),
        upstream: Era::Modern,
        method: Method::List(kind),
        server_info: &caller.serving.info,
    };
    Reply::result(id, &bridge::result_for(&result, route))
}

/// The reply when no upstream has such a list.
fn nothing_read(caller: &Caller<'_>, id: &Id<'_>, kind: ListKind, lists: &[Read]) -> Option<Reply> {
    if lists
        .iter()
        .any(|list| list.as_ref().is_ok_and(|list| list.offered))
    {
        return None;
    }
    let failed = caller
        .serving
        .upstreams
        .iter()
        .zip(lists)
        .find_map(|(upstream, list)| Some((&upstream.name, list.as_ref().err()?)));
    Some(match failed {
        Some((name, error)) if lists.iter().all(Result::is_err) => {
            upstream_failure(caller, id, name, error)
        }
        // Some are down and the others have none: nothing is all there is now.
        Some(_) => return None,
        None => failure(caller, id, &ErrorObject::unknown_method(kind.method())),
    })
}

fn merged(caller: &Caller<'_>, kind: ListKind, lists: &[Read]) -> String {
    let serving = caller.serving;
    let is_tools = kind == ListKind::Tools;
    let read = || lists.iter().filter_map(|list| list.as_ref().ok());
    let mut seen = HashSet::new();
    let mut taken = HashSet::new();
    let mut items = Vec::new();
    for (upstream, list) in serving.upstreams.iter().zip(lists) {
        let Ok(list) = list else {
            // What it had keeps its name: calls of that still go there.
            let before = upstream.known(kind, caller.party);
            let before = before.iter().flat_map(|list| &list.entries);
            taken.extend(before.map(|entry| entry.exposed.clone()));
            continue;
        };
        for entry in &list.entries {
            let granted = !is_tools || caller.granted.admits(&entry.exposed);
            // On equal names the first upstream of the plan wins, also when its tool is
            // blocked: nobody takes the place of a tool that clients know.
            let is_free = !taken.contains(&entry.exposed);
            let wins = granted && is_free && seen.insert(entry.exposed.as_str());
            if wins && (!is_tools || upstream.admits(entry)) {
                items.push(match &entry.legacy {
                    Some(text) if caller.era() == Era::Legacy => text.as_str(),
                    _ => entry.text.as_str(),
                });
            }
        }
    }
    // Another client may see another list.
    let own = (is_tools && !serving.access.is_open()).then_some(CacheHint {
        public: false,
        ..CacheHint::FOREVER
    });
    let hint = read()
        .filter(|list| list.offered)
        .map(|list| list.hint.unwrap_or(CacheHint::NONE))
        .chain(lists.iter().any(Result::is_err).then_some(CacheHint::NONE))
        .chain(own)
        .reduce(CacheHint::and)
        .unwrap_or(CacheHint::NONE);
    let list = list::render(kind, items);
    // Members of the result that are the upstream's own, when it is only one's.
    let frame = match (serving.only(), lists) {
        (Some(_), [Ok(only)]) => only.frame.as_deref(),
        _ => None,
    };
    let frame = frame.and_then(json::Object::parse);
    let items = json::Object::parse(&list).and_then(|list| list.value(kind.member()));
    let base = match (&frame, items) {
        (Some(frame), Some(items)) => frame.edit().set(kind.member(), items).finish(),
        _ => list.clone(),
    };
    with_hint(&base, hint)
}

fn with_hint(result: &str, hint: CacheHint) -> String {
    let Some(object) = json::Object::parse(result) else {
        return result.to_owned();
    };
    let mut edit = object.edit();
    edit.set("ttlMs", hint.ttl_ms.to_string());
    edit.set("cacheScope", json::quote(hint.scope()));
    edit.finish()
}
