//! Tasks of upstreams, and whose they are.
//!
//! The id of a task is sealed with the upstream that gave it, for the client that got
//! it: so any replica knows where to ask, and nobody else's id is of any use. That is
//! all that keeps clients apart: many servers give no session ids or ignore them, and
//! there an upstream's own list has everybody's tasks. So `tasks/list` is not served.

use std::sync::Arc;

use agentkube_mcp::seal::{Purpose, Sealer};
use agentkube_mcp::session::Fingerprint;
use agentkube_mcp::{
    Era, ErrorObject, Kind, Message, Version, capability, error, json, meta, task,
};
use futures::future::join_all;

use super::dispatch::Caller;
use super::locate::{self, Found};
use super::party::Party;
use super::serving::Serving;
use super::sessions;
use super::upstream::Upstream;

/// The names of the tasks that one upstream gave to one client.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) sealer: &'a Sealer,
    /// Whose tasks they are.
    pub(super) owner: &'a str,
    pub(super) upstream: Fingerprint,
}

/// Whose the tasks are that a call may come to; `None` when there can be none.
pub(super) fn owner(caller: &Caller<'_>, message: &Message<'_>) -> Option<String> {
    let may = match caller.era() {
        Era::Modern => declares(message),
        Era::Legacy => caller.party.session().is_some(),
    };
    may.then(|| whose(caller))
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
    if !task::are_mentioned(&text) {
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
    if caller.era() == Era::Modern && method == "tasks/result" {
        return Err(ErrorObject::unknown_method(method));
    }
    let id = message
        .param(task::ID)
        .ok_or_else(|| locate::missing(task::ID))?;
    match open(caller.serving, &whose(caller), &id) {
        // Of a task of one form the other form knows nothing.
        Some((upstream, _)) if speaks_otherwise(caller, upstream).await => {
            Err(of_the_other_era(caller, method))
        }
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
    match eras_of_tasks(caller).await {
        [true, _] => {}
        [false, true] => return of_the_other_era(caller, method),
        [false, false] => return ErrorObject::unknown_method(method),
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

/// Whether upstreams have tasks for this caller, and whether they have some for clients
/// of the other era only.
async fn eras_of_tasks(caller: &Caller<'_>) -> [bool; 2] {
    // A session that another replica opened does not say what the upstream can do.
    let party = match caller.era() {
        Era::Modern => Party::Modern,
        Era::Legacy => Party::Legacy,
    };
    let lanes = caller.serving.upstreams.iter().map(|it| it.greet(&party));
    let lanes = join_all(lanes).await;
    let any = |is_own: bool| {
        lanes.iter().flatten().any(|lane| {
            let offer = lane
                .offer()
                .filter(|_| (lane.era() == caller.era()) == is_own);
            offer.is_some_and(|offer| capability::has_tasks(&offer.capabilities, lane.era()))
        })
    };
    [any(true), any(false)]
}

/// True for an upstream that is spoken to in another era than the client's.
async fn speaks_otherwise(caller: &Caller<'_>, upstream: &Arc<Upstream>) -> bool {
    // Of one that is down the call will tell.
    let lane = upstream.greet(caller.party).await;
    lane.is_ok_and(|lane| lane.era() != caller.era())
}

/// There is no bridge between the two forms: in one the client asks for a task, in the
/// other the server decides.
fn of_the_other_era(caller: &Caller<'_>, method: &str) -> ErrorObject {
    let (theirs, way) = match caller.era() {
        Era::Modern => (
            Version::LATEST_LEGACY,
            "initialize a session of that revision to use them",
        ),
        Era::Legacy => (
            Version::LATEST,
            "they need the extension io.modelcontextprotocol/tasks of that revision",
        ),
    };
    let text = format!("Method not found: {method}: the tasks here are those of {theirs}; {way}");
    ErrorObject::new(error::METHOD_NOT_FOUND, text)
}

/// Why a tool cannot be called that runs as a task of 2025-11-25 only; `None` where the
/// client can ask for one.
pub(super) async fn cannot_run(caller: &Caller<'_>, found: &Found) -> Option<ErrorObject> {
    if !found.only_as_task || caller.party.session().is_some() {
        return None;
    }
    let lane = found.upstream.greet(caller.party).await.ok()?;
    (lane.era() == Era::Legacy).then(|| {
        let legacy = Version::LATEST_LEGACY;
        let text = format!(
            "this tool runs only as a task of {legacy}: initialize a session of that revision \
             to call it"
        );
        ErrorObject::new(error::INVALID_PARAMS, text)
    })
}
