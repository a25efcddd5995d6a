//! From the name in a request to the upstream that owns it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use agentkube_mcp::method::ListKind;
use agentkube_mcp::param::ParamHeader;
use agentkube_mcp::{Era, ErrorObject, Message, error, json};

use super::dispatch::{Caller, upstream_error};
use super::read::{Read, read};
use super::serving::Serving;
use super::upstream::{Catalogue, Entry, Upstream, UpstreamError};

/// A list that is younger than this is not read again for a name that it does
/// not hold, so that calls of unknown tools are not amplified.
const FRESH: Duration = Duration::from_secs(1);

/// Where a request goes, and what it is about there.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) upstream: Arc<Upstream>,
    /// The parameter that names it and the upstream's own value.
    pub(super) named: Option<(&'static str, String)>,
    /// `ref` of a completion, as JSON text.
    pub(super) reference: Option<String>,
    /// Arguments that are mirrored in headers.
    pub(super) params: Vec<ParamHeader>,
    /// Doing it twice does no harm.
    pub(super) repeatable: bool,
    /// A tool that runs as a task of 2025-11-25 and in no other way.
    pub(super) only_as_task: bool,
}

impl Found {
    /// The request as it is.
    pub(super) fn whole(upstream: &Arc<Upstream>) -> Self {
        Self {
            upstream: Arc::clone(upstream),
            named: None,
            reference: None,
            params: Vec::new(),
            repeatable: false,
            only_as_task: false,
        }
    }
}

/// The owner of the tool or the prompt in `params.name`.
///
/// A tool that a filter hides is not in the list, so it takes the same path as
/// one that does not exist, and is answered in the same words. So is one that is
/// not granted to the caller.
pub(super) async fn named(
    caller: &Caller<'_>,
    message: &Message<'_>,
    kind: ListKind,
) -> Result<Found, ErrorObject> {
    let name = message.param("name").ok_or_else(|| missing("name"))?;
    let (upstream, catalogue) = owner(caller, kind, &name)
        .await?
        .ok_or_else(|| match kind {
            ListKind::Prompts => ErrorObject::unknown_prompt(&name),
            _ => ErrorObject::unknown_tool(&name),
        })?;
    let entry = catalogue.entry(&name);
    Ok(Found {
        named: entry.map(|entry| ("name", entry.name.clone())),
        params: entry.map(|entry| entry.params.clone()).unwrap_or_default(),
        repeatable: kind == ListKind::Prompts || entry.is_some_and(|entry| entry.repeatable),
        only_as_task: entry.is_some_and(|entry| entry.only_as_task),
        ..Found::whole(upstream)
    })
}

/// The owner of the resource in `params.uri`.
pub(super) async fn resource(
    caller: &Caller<'_>,
    message: &Message<'_>,
) -> Result<Found, ErrorObject> {
    let uri = message.param("uri").ok_or_else(|| missing("uri"))?;
    let upstream = resource_owner(caller, &uri).await?;
    let named = Some(("uri", uri.into_owned()));
    Ok(Found {
        named,
        repeatable: true,
        ..Found::whole(upstream)
    })
}

/// The owner of the prompt or the template in `params.ref`.
pub(super) async fn reference(
    caller: &Caller<'_>,
    message: &Message<'_>,
) -> Result<Found, ErrorObject> {
    let reference = message.params().and_then(|params| params.object("ref"));
    let reference = reference.ok_or_else(|| missing("ref"))?;
    let ambiguous =
        |error: json::Ambiguous| ErrorObject::new(error::INVALID_PARAMS, format!("ref: {error}"));
    reference
        .distinct(&["type", "name", "uri"])
        .map_err(ambiguous)?;
    if let Some(uri) = reference.text("uri") {
        let upstream = resource_owner(caller, &uri).await?;
        return Ok(Found {
            repeatable: true,
            ..Found::whole(upstream)
        });
    }
    let name = reference.text("name").ok_or_else(|| missing("ref.name"))?;
    let owner = owner(caller, ListKind::Prompts, &name).await?;
    let (upstream, catalogue) = owner.ok_or_else(|| ErrorObject::unknown_prompt(&name))?;
    let own = catalogue
        .entry(&name)
        .map_or(name.as_ref(), |entry| &entry.name);
    let renamed = reference.edit().set("name", json::quote(own)).finish();
    Ok(Found {
        reference: Some(renamed),
        repeatable: true,
        ..Found::whole(upstream)
    })
}

pub(super) fn missing(param: &str) -> ErrorObject {
    ErrorObject::new(
        error::INVALID_PARAMS,
        format!("params.{param} is missing or of another type"),
    )
}

type Owner<'s> = (&'s Arc<Upstream>, Arc<Catalogue>);

/// The first upstream of the plan whose list holds the exposed name; lists that
/// do not hold it are read again once. For a tool that is not granted the lists
/// are read just so, and then hold it not.
async fn owner<'s>(
    caller: &Caller<'s>,
    kind: ListKind,
    exposed: &str,
) -> Result<Option<Owner<'s>>, ErrorObject> {
    let granted = kind != ListKind::Tools || caller.granted.admits(exposed);
    let has = |catalogue: &Catalogue| granted && catalogue.entry(exposed).is_some();
    let blocks = |upstream: &Upstream, catalogue: &Catalogue| {
        let entry = catalogue.entry(exposed).filter(|_| kind == ListKind::Tools);
        entry.is_some_and(|entry| !upstream.admits(entry))
    };
    let serving: &'s Serving = caller.serving;
    let candidates: Vec<_> = serving
        .upstreams
        .iter()
        // Names are prefixed, URIs are not.
        .filter(|upstream| kind == ListKind::Resources || upstream.surface.could_expose(exposed))
        .collect();
    // One whose list is not known may have the name: no later one takes it unasked.
    let lists = candidates
        .iter()
        .map_while(|upstream| Some((*upstream, upstream.known(kind, caller.party)?)));
    let known = lists.into_iter().find(|(_, catalogue)| has(catalogue));
    if let Some((upstream, catalogue)) = known
        && upstream.believes(kind, &catalogue)
        && !blocks(upstream, &catalogue)
    {
        return Ok(Some((upstream, catalogue)));
    }
    let lists = refresh(caller, &candidates, kind).await;
    let mut unread = None;
    let mut blocked = false;
    for (upstream, list) in candidates.into_iter().zip(lists) {
        let list = match list {
            Ok(list) => Some(list),
            Err(error) => {
                unread = unread.or(Some(upstream_error(&upstream.name, &error)));
                // What it had before it went away it is still asked for.
                let known = upstream.known(kind, caller.party);
                // One that is slow is there, and may have got the name since.
                let is_slow = matches!(error, UpstreamError::Slow(_));
                let may_have = known.as_ref().is_none_or(|it| is_slow && !has(it));
                if may_have && kind != ListKind::Resources {
                    // It may have the name, and comes before the others: what is meant
                    // for it, arguments and all, goes to none of them.
                    break;
                }
                known
            }
        };
        let Some(list) = list.filter(|list| has(list)) else {
            continue;
        };
        // Its name is taken, also from those that come after it.
        blocked |= blocks(upstream, &list);
        if !blocked {
            return Ok(Some((upstream, list)));
        }
    }
    // Whether an upstream that is down has it nobody knows: neither for a
    // hidden tool nor for one that does not exist.
    unread.map_or(Ok(None), Err)
}

async fn refresh(caller: &Caller<'_>, upstreams: &[&Arc<Upstream>], kind: ListKind) -> Vec<Read> {
    let now = Instant::now();
    let since = now.checked_sub(FRESH).unwrap_or(now);
    join_all(
        upstreams
            .iter()
            .map(|upstream| read(caller, upstream, kind, since)),
    )
    .await
}

/// The upstream that has the resource, or a template that makes such URIs.
pub(super) async fn resource_owner<'s>(
    caller: &Caller<'s>,
    uri: &str,
) -> Result<&'s Arc<Upstream>, ErrorObject> {
    let serving: &'s Serving = caller.serving;
    if let Some(only) = serving.only() {
        return Ok(only);
    }
    let listed = owner(caller, ListKind::Resources, uri).await;
    if let Ok(Some((upstream, _))) = listed {
        return Ok(upstream);
    }
    let all: Vec<_> = serving.upstreams.iter().collect();
    let lists = refresh(caller, &all, ListKind::Templates).await;
    let makes = |entry: &Entry| {
        entry.name == uri
            || entry
                .template
                .as_ref()
                .is_some_and(|made| made.matches(uri))
    };
    let mut unread = listed.err();
    for (upstream, list) in all.into_iter().zip(lists) {
        let known = |kind| upstream.known(kind, caller.party);
        let made = match list {
            Ok(list) => Some(list),
            Err(error) => {
                unread = unread.or(Some(upstream_error(&upstream.name, &error)));
                known(ListKind::Templates)
            }
        };
        if made
            .as_ref()
            .is_some_and(|list| list.entries.iter().any(makes))
        {
            return Ok(upstream);
        }
        // What was never read may hold it: a later upstream's template, which may
        // make anything, must not take it.
        if made.is_none() || known(ListKind::Resources).is_none() {
            break;
        }
    }
    Err(unread.unwrap_or_else(|| unknown_resource(caller.era(), uri)))
}

fn unknown_resource(era: Era, uri: &str) -> ErrorObject {
    let code = match era {
        Era::Legacy => error::RESOURCE_NOT_FOUND,
        Era::Modern => error::INVALID_PARAMS,
    };
    let data = Some(format!("{{\"uri\":{}}}", json::quote(uri)));
    ErrorObject {
        data,
        ..ErrorObject::new(code, format!("Resource not found: {uri}"))
    }
}
