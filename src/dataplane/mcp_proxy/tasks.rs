//! Tasks of several upstreams behind one endpoint.
//!
//! The id of a task is sealed with the upstream that gave it, for the client that got
//! it: so any replica knows where to ask, and nobody else's id is of any use. Only in
//! a session of 2025-11-25 with a single upstream ids stay as they are: nothing needs
//! to be told apart there, and the upstream's own session keeps others out.

use std::sync::Arc;

use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::Fingerprint;
use agentkube_mcp::{
    Era, ErrorObject, Id, Kind, MAX_DEPTH, Message, capability, error, json, meta, task,
};
use futures::future::join_all;

use super::dispatch::{Caller, failure, unknown, upstream_failure};
use super::locate::{self, Found};
use super::party::Party;
use super::reply::Reply;
use super::serving::Serving;
use super::sessions;
use super::upstream::{Upstream, UpstreamError};

/// The names of the tasks that one upstream gave to one client.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) sealer: &'a Sealer,
    /// Whose tasks they are.
    pub(super) owner: &'a str,
    pub(super) upstream: Fingerprint,
}

/// True when the ids of tasks are sealed for clients of this era.
pub(super) fn are_sealed(serving: &Serving, era: Era) -> bool {
    era == Era::Modern || serving.only().is_none()
}

/// Whose the tasks are that a call may come to; `None` when their ids pass as they are,
/// or there can be none.
pub(super) fn owner(caller: &Caller<'_>, message: &Message<'_>) -> Option<String> {
    let may = match caller.era() {
        Era::Modern => declares(message),
        Era::Legacy => caller.party.session().is_some(),
    };
    (may && are_sealed(caller.serving, caller.era())).then(|| whose(caller))
}

fn whose(caller: &Caller<'_>) -> String {
    sessions::owner(&caller.serving.loaded.plan.object, caller.client)
}

/// True when a modern client can be given tasks.
fn declares(message: &Message<'_>) -> bool {
    let capabilities = message
        .meta()
        .and_then(|meta| meta.object(meta::CLIENT_CAPABILITIES));
    let extensions = capabilities.and_then(|all| all.object("extensions"));
    extensions.is_some_and(|all| all.value(task::EXTENSION).is_some())
}

impl Names<'_> {
    fn seal(&self, id: &str) -> Option<String> {
        let plain = [&self.upstream[..], id.as_bytes()].concat();
        self.sealer.name(Purpose::Task, self.owner, &plain)
    }

    /// A result as the client gets it; `None` when there is no task in it.
    pub(super) fn result(&self, result: &str) -> Option<String> {
        if !task::are_mentioned(result) {
            return None;
        }
        task::in_result(result, |id| self.seal(id))
    }

    /// A message of the upstream as the client gets it.
    pub(super) fn message(&self, text: String) -> String {
        if !task::are_mentioned(&text) {
            return text;
        }
        let Ok(message) = Message::parse(&text) else {
            return text;
        };
        let (key, renamed) = match (message.kind(), message.params()) {
            (Kind::Result { result, .. }, _) => {
                ("result", task::in_result(result, |id| self.seal(id)))
            }
            (Kind::Request { method, .. } | Kind::Notification { method }, Some(params)) => (
                "params",
                task::in_params(method, params, |id| self.seal(id)),
            ),
            _ => return text,
        };
        match renamed {
            Some(renamed) => message.object().edit().set(key, renamed).finish(),
            None => text,
        }
    }
}

/// A client's answer to a question of an upstream, with that one's own id of the task
/// that it belongs to.
pub(super) fn answer(caller: &Caller<'_>, text: String) -> String {
    if !task::are_mentioned(&text) || !are_sealed(caller.serving, caller.era()) {
        return text;
    }
    let owner = whose(caller);
    let own = |id: &str| Some(open(caller.serving, &owner, id)?.1);
    let renamed = Message::parse(&text).ok().and_then(|message| {
        let Kind::Result { result, .. } = message.kind() else {
            return None;
        };
        let result = task::in_result(result, own)?;
        Some(message.object().edit().set("result", result).finish())
    });
    renamed.unwrap_or(text)
}

/// The upstream that gave this id, and its own one.
fn open<'s>(serving: &'s Serving, owner: &str, id: &str) -> Option<(&'s Arc<Upstream>, String)> {
    let plain = serving.sealer.open(Purpose::Task, owner, id)?;
    let (upstream, id) = plain.split_first_chunk()?;
    let id = String::from_utf8(id.to_vec()).ok()?;
    Some((serving.upstream(*upstream)?, id))
}

/// The tasks of this caller among these ids, with the ids of their upstream.
pub(super) fn followed(caller: &Caller<'_>, ids: &str) -> Vec<(Fingerprint, String, String)> {
    let owner = whose(caller);
    let ids = json::array(ids).unwrap_or_default().into_iter();
    let known = ids.filter_map(|id| {
        let id = json::string(id)?;
        let (upstream, own) = open(caller.serving, &owner, &id)?;
        Some((upstream.fingerprint, id.into_owned(), own))
    });
    known.collect()
}

/// The upstream that has the task in `params.taskId`.
pub(super) async fn located(
    caller: &Caller<'_>,
    message: &Message<'_>,
    method: &str,
) -> Result<Found, ErrorObject> {
    // 2026-07-28 has none of it.
    let foreign = caller.era() == Era::Modern && method == "tasks/result";
    if foreign || !are_sealed(caller.serving, caller.era()) {
        return unknown(caller, method).await;
    }
    let id = message
        .param(task::ID)
        .ok_or_else(|| locate::missing(task::ID))?;
    match open(caller.serving, &whose(caller), &id) {
        Some((upstream, own)) => Ok(Found {
            named: Some((task::ID, own)),
            repeatable: matches!(method, "tasks/get" | "tasks/result"),
            ..Found::whole(upstream)
        }),
        None => Err(nobodys(caller, message, method).await),
    }
}

/// Why there is no such task: as a server with tasks would say it, or one without.
async fn nobodys(caller: &Caller<'_>, message: &Message<'_>, method: &str) -> ErrorObject {
    if with_tasks(caller, None).await.is_empty() {
        return ErrorObject::unknown_method(method);
    }
    if caller.era() == Era::Modern && !declares(message) {
        let required = format!(
            "{{\"requiredCapabilities\":{{\"extensions\":{{\"{}\":{{}}}}}}}}",
            task::EXTENSION
        );
        let text = "this needs the tasks extension among the client's capabilities";
        return ErrorObject {
            data: Some(required),
            ..ErrorObject::new(error::MISSING_CAPABILITY, text)
        };
    }
    ErrorObject::new(error::INVALID_PARAMS, "Task not found")
}

/// The upstreams that have tasks for this caller, and can do this with them.
async fn with_tasks<'s>(caller: &Caller<'s>, key: Option<&str>) -> Vec<&'s Arc<Upstream>> {
    let serving: &'s Serving = caller.serving;
    // A session that another replica opened does not say what the upstream can do.
    let party = match caller.era() {
        Era::Modern => Party::Modern,
        Era::Legacy => Party::Legacy,
    };
    let lanes = serving.upstreams.iter().map(|it| it.greet(&party));
    let lanes = join_all(lanes).await;
    let all = serving.upstreams.iter().zip(lanes);
    let able = all.filter(|(_, lane)| {
        let Some(lane) = lane.as_ref().ok() else {
            return false;
        };
        let offer = lane.offer().filter(|_| lane.era() == caller.era());
        offer.is_some_and(|offer| capability::has_tasks(&offer.capabilities, lane.era(), key))
    });
    able.map(|(upstream, _)| upstream).collect()
}

/// `tasks/list` of 2025-11-25 over several upstreams, in one page.
pub(super) async fn list(caller: &Caller<'_>, message: &Message<'_>, id: &Id<'_>) -> Reply {
    let cursor = message.params().and_then(|params| params.value("cursor"));
    if cursor.is_some() {
        let text = "unknown cursor: this list comes in one page";
        return failure(caller, id, &ErrorObject::new(error::INVALID_PARAMS, text));
    }
    let upstreams = with_tasks(caller, Some("list")).await;
    if upstreams.is_empty() {
        return failure(caller, id, &ErrorObject::unknown_method("tasks/list"));
    }
    let owner = whose(caller);
    let lists = join_all(upstreams.iter().map(|it| it.tasks(caller.party))).await;
    if lists.iter().all(Result::is_err)
        && let Some((upstream, Err(error))) = upstreams.iter().zip(&lists).next()
    {
        return upstream_failure(caller, id, &upstream.name, error);
    }
    let mut all = Vec::new();
    for (upstream, list) in upstreams.iter().zip(lists) {
        let names = Names {
            sealer: &caller.serving.sealer,
            owner: &owner,
            upstream: upstream.fingerprint,
        };
        let items = list.unwrap_or_default().into_iter();
        all.extend(items.filter_map(|item| task::in_item(&item, |id| names.seal(id))));
    }
    let result = format!("{{\"tasks\":[{}]}}", all.join(","));
    Reply::result(id, &caller.serving.redact(result.into()))
}

/// The tasks in an answer to `tasks/list`, and where the next page begins.
pub(super) fn page(answer: &[u8]) -> Result<(Vec<String>, Option<String>), UpstreamError> {
    let garbled = |text: String| UpstreamError::Garbled(text);
    let message = Message::decode(answer, MAX_DEPTH).map_err(|error| garbled(error.to_string()))?;
    let result = match message.kind() {
        Kind::Result { result, .. } => json::Object::parse(result),
        Kind::Error { error: text, .. } => {
            return Err(UpstreamError::Rpc {
                method: "tasks/list",
                code: error::code_of(text).unwrap_or_default(),
            });
        }
        _ => None,
    };
    let result = result.ok_or_else(|| garbled("it is no list of tasks".to_owned()))?;
    let items = result.value("tasks").and_then(json::array);
    let items = items.ok_or_else(|| garbled("it is no list of tasks".to_owned()))?;
    let next = result.text("nextCursor").map(std::borrow::Cow::into_owned);
    Ok((items.into_iter().map(str::to_owned).collect(), next))
}
